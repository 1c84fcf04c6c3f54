import pytest

from serinus.errors import ManifestError
from serinus.manifests import Index, dotted

TEXT = """---
# Source: serinus/templates/mesh/virtualservice.yaml
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: app-frontend
  namespace: one
  labels: {app: app-frontend}
spec:
  hosts: [app-frontend]
  http:
    - match:
        - uri: {prefix: /assets}
      route:
        - destination: {host: app-frontend}
    - name: draw
---
# Source: serinus/templates/configmap.yaml
---
# Source: serinus/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  since: 2026-01-01
"""


def test_objects_keep_order_names_and_templates():
    index = Index.parse(TEXT)
    assert [str(item) for item in index] == ["VirtualService app-frontend", "ConfigMap settings"]
    assert len(index) == 2
    service = index.of("VirtualService")[0]
    assert service.namespace == "one"
    assert service.labels == {"app": "app-frontend"}
    assert service.source.template == "serinus/templates/mesh/virtualservice.yaml"
    assert service.source.line == 3
    assert index.get("ConfigMap", "settings").source.template == "serinus/templates/config.yaml"


def test_line_of_a_nested_path():
    service = Index.parse(TEXT).get("VirtualService", "app-frontend")
    assert service.line("spec", "http", 0, "match", 0, "uri", "prefix") == 13
    assert service.line("spec", "http", 1) == 16
    assert service.line("spec", "http", 1, "route", 0) == 16
    assert service.where("spec", "http", 1) == (
        "VirtualService app-frontend spec.http[1] "
        "(serinus/templates/mesh/virtualservice.yaml, rendered line 16)"
    )


def test_at_reads_a_path_or_gives_the_default():
    service = Index.parse(TEXT).get("VirtualService", "app-frontend")
    assert service.at("spec", "http", 1, "name") == "draw"
    assert service.at("spec", "http", 9) is None
    assert service.at("spec", "hosts", 0, "x", default=3) == 3


def test_a_date_stays_text():
    assert Index.parse(TEXT).get("ConfigMap", "settings").at("data", "since") == "2026-01-01"


def test_get_respects_the_namespace():
    index = Index.parse(TEXT)
    assert index.get("VirtualService", "app-frontend", "one")
    assert index.get("VirtualService", "app-frontend", "two") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: A\n", "lacks apiVersion"),
        ("a: [1\n", "broken YAML"),
        ("apiVersion: v1\nkind: A\nkind: B\nmetadata: {name: x}\n", "'kind' is written twice"),
        ("- 1\n", "lacks apiVersion"),
    ],
)
def test_what_is_no_object_is_refused(text, message):
    with pytest.raises(ManifestError, match=message):
        Index.parse(text)


def test_the_same_object_twice_is_refused():
    one = "apiVersion: v1\nkind: A\nmetadata: {name: x}\n"
    with pytest.raises(ManifestError, match="rendered twice"):
        Index.parse(one + "---\n" + one)


def test_dotted_brackets_keys_with_dots():
    assert dotted(("metadata", "labels", "a.b/c", 0)) == 'metadata.labels["a.b/c"][0]'
