import pytest

from serinus.clients import helm
from serinus.errors import ChartError


@pytest.fixture
def chart(tmp_path):
    root = tmp_path / "small"
    (root / "templates" / "tests").mkdir(parents=True)
    (root / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    (root / "values.yaml").write_text("greeting: hello\nkept: {a: 1, b: 2}\n")
    (root / "values.schema.json").write_text(
        '{"type": "object", "properties": {"greeting": {"type": "string"}}}'
    )
    (root / "templates" / "config.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n"
        "  greeting: {{ .Values.greeting | quote }}\n  kept: {{ .Values.kept | toJson | quote }}\n"
        '  found: {{ lookup "v1" "Secret" "a" "b" | toJson | quote }}\n'
        "  kubernetes: {{ .Capabilities.KubeVersion.Version }}\n"
        '{{- if eq .Values.greeting "bad" }}{{ fail "greeting is bad\\nset greeting: good" }}'
        "{{ end }}\n"
    )
    (root / "templates" / "tests" / "pod.yaml").write_text(
        'apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {"helm.sh/hook": test}}\n'
    )
    (root / "templates" / "NOTES.txt").write_text("hello from {{ .Release.Name }}\n")
    return root


def test_render_gives_manifest_and_notes_without_a_cluster(chart, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/config")
    done = helm.render(chart, {"kept": {"b": None}}, name="r", kube_version="v1.31.0")
    assert "# Source: small/templates/config.yaml" in done.manifest
    assert 'kept: "{\\"a\\":1}"' in done.manifest
    assert 'found: "{}"' in done.manifest
    assert "kubernetes: v1.31.0" in done.manifest
    assert "kind: Pod" not in done.manifest
    assert (done.notes, done.chart, done.version) == ("hello from r\n", "small", "0.1.0")


def test_a_failing_template_names_the_place_and_the_remedy(chart):
    with pytest.raises(ChartError) as caught:
        helm.render(chart, {"greeting": "bad"})
    assert caught.value.what == "greeting is bad"
    assert caught.value.where.startswith("small/templates/config.yaml")
    assert caught.value.remedy == "set greeting: good"


def test_the_schema_names_the_value(chart):
    with pytest.raises(ChartError, match="'/greeting': got number, want string"):
        helm.render(chart, {"greeting": 1})


def test_a_missing_chart_is_named(tmp_path):
    with pytest.raises(ChartError, match="absent"):
        helm.render(tmp_path / "absent", {})


def test_coalesce_adds_defaults(chart):
    assert helm.coalesce(chart, {"kept": {"b": 3}}) == {
        "greeting": "hello",
        "kept": {"a": 1, "b": 3},
    }


def test_defaults_stay_the_same_from_use_to_use(chart):
    with helm.defaults(chart) as laid_over:
        assert laid_over({"greeting": "one", "kept": {"a": None}}) == {
            "greeting": "one",
            "kept": {"b": 2},
        }
        assert laid_over({}) == {"greeting": "hello", "kept": {"a": 1, "b": 2}}


def test_values_that_the_schema_refuses_are_told_before_anyone_reads_them(chart):
    with pytest.raises(ChartError, match=r"refused: '/greeting': got number, want string"):
        helm.coalesce(chart, {"greeting": 1})


def test_a_null_without_a_default_is_left_out(chart):
    for given in ({"kept": {"z": None}}, {"nothing": None}):
        assert helm.coalesce(chart, given)["kept"] == {"a": 1, "b": 2}
        assert '{\\"a\\":1,\\"b\\":2}' in helm.render(chart, given).manifest
    assert helm.coalesce(chart, {"kept": {"a": None}})["kept"] == {"b": 2}
