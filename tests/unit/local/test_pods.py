import sys

import pytest

from serinus.errors import ManifestError
from serinus.local import pods
from serinus.manifests import Index


@pytest.fixture
def outbound():
    return pods.Outbound("127.20.1")


@pytest.fixture
def read(outbound):
    return lambda text: pods.read(Index.parse(text), "/state", "serinus", outbound)


@pytest.fixture
def front(read, rendered):
    return read(rendered).workloads[1]


def test_who_is_called_starts_first(read, rendered):
    found = read(rendered)
    assert [item.name for item in found.workloads] == ["back-stable", "front-stable"]
    assert found.calls == {"front-stable": ("back",), "back-stable": ()}


def test_command_replicas_probes_and_grace(front):
    assert front.template.argv == (sys.executable, "-m", "front", "--level=info", "$(LEVEL)")
    assert (front.app, front.track, front.replicas) == ("front", "stable", 2)
    assert front.template.grace == 7
    assert front.template.ports == {"http": 8080}
    probe = front.template.readiness
    assert (probe.path, probe.port, probe.period, probe.failures) == ("/ready", 8080, 2, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "@POD_IP@"),
        ("POD", "@POD_NAME@"),
        ("LEVEL", "info"),
        ("KEY", "secret"),
        ("BACK", "http://127.20.1.1:15100"),
        ("BACK_FULL", "http://127.20.1.1:15100/v1"),
        ("ELSEWHERE", "http://example.test/x"),
        ("DATA", "/state/volumes/events"),
        ("DATABASE", "/database"),
        ("SECRETS", "/state/config/secret-keys"),
        ("TMPDIR", "@POD_DIR@/tmp"),
    ],
)
def test_environment_is_rewritten_by_rule(front, name, value):
    assert front.template.env[name] == value


def test_an_optional_reference_to_nothing_sets_nothing(front):
    assert "NONE" not in front.template.env


def test_env_from_has_its_prefix(read, rendered):
    env = read(rendered).workloads[0].template.env
    assert env["X_LEVEL"] == "info"


def test_volumes_become_files_and_directories(read, rendered):
    found = read(rendered)
    assert {(item.path, item.text, item.mode) for item in found.files} == {
        ("config/secret-keys/key", "secret", 0o600),
        ("config/secret-keys/plain", "text", 0o600),
    }
    assert "/state/volumes/events" in found.directories
    assert found.workloads[1].template.directories == ("@POD_DIR@", "@POD_DIR@/tmp")


def test_the_registry_lies_where_its_command_writes(read, rendered):
    text = rendered.replace("claimName: events", "claimName: registry")
    assert read(text).workloads[1].template.env["DATA"] == "/state/registry"


def test_ports_of_listeners_stay_when_another_workload_goes():
    before = pods.Outbound("127.20.1")
    assert [before.port(name, "back") for name in ("a", "b", "c")] == [15100, 15101, 15102]
    after = pods.Outbound("127.20.1", dict(before.ports))
    assert after.port("c", "back") == 15102
    assert after.port("d", "back") == 15103


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("command: [python, -m, front]", "tty: false", "names no command"),
        ("{app: front, version: stable}", "{app: front}", "labels app and version"),
        ("{name: keys, key: key}", "{name: keys, key: other}", "Secret keys has no key other"),
        ("{name: keys, key: key}", "{name: nobody, key: key}", "renders no Secret nobody"),
        ("status.podIP", "status.hostIP", "status.hostIP has no meaning"),
        ("port: http}, periodSeconds", "port: web}, periodSeconds", "no port 'web'"),
        ("httpGet: {path: /ready, port: http}", "exec: {command: [x]}", "only httpGet"),
        ("value: /data}", "value: /dat}", "names the mount /data"),
        ("emptyDir: {}", "nfs: {}", "a volume of this type"),
        ("{name: tmp, mountPath", "{name: tmpp, mountPath", "no volume 'tmpp'"),
        (
            "- name: app\n          image",
            "- name: b\n        - name: app\n          image",
            "one c",
        ),
    ],
)
def test_what_cannot_be_run_names_object_path_and_line(read, rendered, old, new, message):
    assert old in rendered
    with pytest.raises(ManifestError, match=message) as caught:
        read(rendered.replace(old, new, 1))
    assert "Deployment front-stable spec" in caught.value.where
    assert "rendered line" in caught.value.where
