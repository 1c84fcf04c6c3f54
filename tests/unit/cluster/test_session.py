import base64

import httpx2
import pytest

from serinus import rollout
from serinus.clients import helm, kubeconfig
from serinus.clients.releases import unpack, write_chart
from serinus.clients.values import merge
from serinus.cluster import desired, session
from serinus.cluster.target import Target, gateway
from serinus.errors import ChartError, ClusterError, RolloutError, UsageError

from .conftest import deployment, release

SECRETS = "/api/v1/namespaces/shop/secrets"
INGRESS = "/api/v1/namespaces/istio/services/ingress"
VALUES = (
    "rollout:\n  epoch: 1\n  digest: ''\n  weights: {stable: 90, canary: 10}\n"
    "  canary: {enabled: true, routed: true}\n"
    "workloads:\n  app-service:\n    tracks:\n      stable: {image: {tag: '1'}}\n"
    "      canary: {image: {tag: '2'}}\n"
)
ON = {"rollout": {"epoch": 1}}
OFF = {
    "rollout": {
        "epoch": 2,
        "weights": {"stable": 100, "canary": 0},
        "canary": {"enabled": False, "routed": False},
    }
}


def _chart():
    import yaml

    return {
        "metadata": {"apiVersion": "v2", "name": "small", "version": "0.1.0"},
        "values": yaml.safe_load(VALUES),
        "templates": [{"name": "templates/x.yaml", "data": base64.b64encode(b"").decode()}],
    }


class Puts:
    """In the engine's place: keeps what would be sent, and stores it as the next revision."""

    def __init__(self, server):
        self.server = server
        self.sent = []
        self.kept = []

    def keep(self, values, **about):
        number = len(self.kept) + 1
        for item in self.kept:
            item["status"] = "superseded" if item["status"] == "deployed" else item["status"]
        self.kept.append({"status": "deployed", **about, "values": values, "number": number})
        self.store()

    def store(self):
        secrets = [
            release(
                item["number"], item["values"], status=item["status"], chart=_chart(),
                labels=item.get("labels"), description=item.get("description", ""),
            )
            for item in self.kept
        ]  # fmt: skip
        self.server.answers[SECRETS] = {"items": secrets}
        for secret in secrets:
            self.server.answers[f"{SECRETS}/{secret['metadata']['name']}"] = secret

    def __call__(self, chart, values, *, first, description="", labels=None, dry_run=False):
        self.sent.append((values, first, description, dict(labels or {})))
        self.keep(values, description=description, labels=labels)
        return ""


@pytest.fixture
def target(cluster, server, monkeypatch):
    found = Target(cluster)
    puts = Puts(server)
    monkeypatch.setattr(found.releases, "put", puts)
    found.puts = puts
    server.answers |= {
        "/apis/apps/v1/namespaces/shop/deployments": {
            "items": [deployment("app-service-stable"), deployment("app-service-canary")]
        },
        "/apis/apps/v1/namespaces/shop/statefulsets": {"items": []},
        "/api/v1/namespaces/shop/pods": {"items": []},
    }
    return found


@pytest.fixture
def said():
    return []


@pytest.fixture
def waiting(said):
    return session.Waiting(lambda _: None, said.append)


def test_nothing_installed_is_told_with_its_remedy(target):
    with pytest.raises(ClusterError, match=r"no release serinus[\s\S]*serinus deploy"):
        target.installed()


def test_an_abort_is_one_revision_with_everything_else_kept(target, waiting):
    target.puts.keep({**ON, "hosts": {"frontend": "a"}})
    whole = session.roll(target, rollout.abort, waiting, "rollout abort")
    ((sent, first, description, labels),) = target.puts.sent
    assert (first, description, labels) == (False, "rollout abort", {})
    assert sent["hosts"] == {"frontend": "a"}
    assert not rollout.read(whole).enabled
    assert rollout.read(whole).epoch == 2


def test_on_is_two_revisions_and_the_routes_come_last(target, waiting, said):
    target.puts.keep(OFF)
    session.roll(target, lambda o, v: rollout.switch_on(o, v, 30)[1], waiting, "rollout on")
    (first, *_), (then, *_) = target.puts.sent
    assert first["rollout"]["canary"] == {"enabled": True, "routed": False}
    assert then["rollout"]["canary"] == {"enabled": True, "routed": True}
    assert then["rollout"]["weights"] == {"stable": 70, "canary": 30}
    assert said == ["the canary's pods first, its routes when they are ready"]


def test_a_promotion_is_remembered_by_a_label(target, waiting):
    target.puts.keep(ON)
    session.roll(target, rollout.promote, waiting, "rollout promote", promotes=True)
    assert target.puts.sent[-1][3] == {desired.PROMOTED: "true"}
    session.roll_back(target, None, waiting)
    assert target.puts.sent[-1][3] == {desired.PROMOTED: "null"}


def test_rolling_back_leads_to_the_revision_before_with_a_higher_epoch(target, waiting, said):
    target.puts.keep(ON)
    target.puts.keep(OFF)
    session.roll_back(target, None, waiting)
    (first, _, one, _), (then, _, two, _) = target.puts.sent
    assert (one, two) == (
        "rollback to 1, first step: canary without routes", "rollback to 1",
    )  # fmt: skip
    assert (first["rollout"]["epoch"], then["rollout"]["epoch"]) == (2, 3)
    assert said[0] == "back to revision 1"


def test_a_first_step_is_not_led_back_to(target, waiting, said):
    target.puts.keep(ON)
    target.puts.keep(ON, description="rollback to 1, first step: canary without routes")
    target.puts.keep(ON)
    session.roll_back(target, None, waiting)
    assert said[0] == "back to revision 1"


def test_after_a_failed_change_what_was_in_force_is_led_back_to(target, waiting, said):
    target.puts.keep(ON)
    target.puts.keep(OFF)
    target.puts.kept[0]["status"] = "superseded"
    target.puts.keep(ON, status="failed")
    target.puts.kept[1]["status"] = "deployed"
    target.puts.keep(ON, status="failed")
    target.puts.kept[1]["status"] = "deployed"
    target.puts.store()
    session.roll_back(target, None, waiting)
    assert said[0] == "back to revision 2"


def test_the_first_revision_has_none_before(target, waiting):
    target.puts.keep(ON)
    with pytest.raises(RolloutError, match="nothing to lead back to"):
        session.roll_back(target, None, waiting)


def test_a_kept_chart_becomes_files_again(tmp_path):
    stored = unpack(release(1, ON, chart=_chart(), labels={desired.PROMOTED: "true"}))
    assert (stored.number, stored.values) == (1, ON)
    assert helm.coalesce(write_chart(stored.chart, tmp_path), {})["rollout"]["epoch"] == 1
    wrong = {**_chart(), "files": [{"name": "../out", "data": ""}]}
    with pytest.raises(ChartError, match="outside of itself"):
        write_chart(wrong, tmp_path / "b")


def _installed(server, tls=False):
    """A release whose gateway's Service is `INGRESS`."""
    chart = _chart()
    chart["values"]["gateway"] = {
        "port": 80, "namespace": "istio", "service": "ingress",
        "tls": {"enabled": tls, "port": 443},
    }  # fmt: skip
    secret = release(1, ON, chart=chart)
    server.answers |= {
        SECRETS: {"items": [secret]},
        f"{SECRETS}/sh.helm.release.v1.serinus.v1": secret,
    }


BALANCER = {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}}}
PORTS = {"spec": {"ports": [{"port": 80, "nodePort": 30080}, {"port": 443, "nodePort": 30443}]}}


@pytest.mark.parametrize(
    ("tls", "service", "address"),
    [
        (False, BALANCER, "10.0.0.9:80"),
        (False, PORTS, "10.0.0.1:30080"),
        (True, BALANCER, "10.0.0.9:443"),
        (True, PORTS, "10.0.0.1:30443"),
    ],
)
def test_the_gateway_is_found_by_balancer_or_node_port(target, server, tls, service, address):
    _installed(server, tls)
    server.answers |= {
        INGRESS: service,
        "/api/v1/nodes": {
            "items": [{"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}]
        },
    }
    assert gateway(target) == address
    server.answers[INGRESS] = {}
    remedy = "8443:443, then --gateway 127.0.0.1:8443" if tls else "8080:80, then --gateway 127"
    with pytest.raises(ClusterError, match=remedy):
        gateway(target)


def test_values_named_by_the_context_lie_below_the_given_ones(
    target, waiting, said, tmp_path, monkeypatch
):
    monkeypatch.setattr(session.prerequisites, "check", lambda *_: None)
    chart = write_chart(_chart(), tmp_path / "chart")
    common = tmp_path / "common.yaml"
    common.write_text("image: {registry: r, tag: '1'}\n")
    target.cluster.extension = kubeconfig.Extension(common)
    session.deploy(target, session.Asked(chart, sets=("image.tag=two",)), waiting)
    assert target.puts.sent[-1][0]["image"] == {"registry": "r", "tag": "two"}
    assert any(str(common) in line for line in said)
    # Without anything given those in force stay, whatever the context's file says by now.
    common.write_text("image: {registry: other}\n")
    session.deploy(target, session.Asked(chart), waiting)
    assert target.puts.sent[-1][0]["image"] == {"registry": "r", "tag": "two"}


def test_values_that_are_not_there_stop_a_deploy_and_nothing_else(target, waiting, tmp_path):
    chart = write_chart(_chart(), tmp_path / "chart")
    where = "config, context ours, extension serinus"
    target.cluster.extension = kubeconfig.Extension(tmp_path / "moved.yaml", where=where)
    with pytest.raises(UsageError) as caught:
        session.deploy(target, session.Asked(chart), waiting)
    assert str(caught.value) == (
        f"{where}: there is no file of values {tmp_path / 'moved.yaml'}\n"
        "  make it, or remove its name from the extension"
    )
    target.puts.keep(ON)
    target.fresh()
    session.roll(target, rollout.abort, waiting, "rollout abort")
    assert [description for _, _, description, _ in target.puts.sent] == ["rollout abort"]


def test_the_gateway_is_where_the_context_says(target):
    target.cluster.extension = kubeconfig.Extension(gateway="127.0.0.1:18080")
    assert gateway(target) == "127.0.0.1:18080"


def test_a_gateway_that_may_not_be_looked_at_is_to_be_named(target, server):
    _installed(server)
    server.answers[INGRESS] = PORTS
    server.forbidden = {("list", "nodes")}
    with pytest.raises(ClusterError, match="tells no address for port 80"):
        gateway(target)
    server.forbidden = {("get", "services")}
    with pytest.raises(ClusterError, match=r"may not look at[\s\S]*--gateway HOST:PORT"):
        gateway(target)


def test_who_may_not_read_revisions_is_told_everything_at_once(target, server, waiting):
    server.answers |= {
        SECRETS: httpx2.Response(403, json={"kind": "Status", "message": "no", "code": 403}),
        "/version": {"major": "1", "minor": "29"},
    }
    server.forbidden = {("list", "secrets"), ("create", "envoyfilters")}
    asked = session.Asked(helm.bundled(), sets=("monitoring.enabled=false",))
    with pytest.raises(ClusterError) as caught:
        session.deploy(target, asked, waiting)
    said = str(caught.value)
    for what in (
        "older than 1.30",
        "the right to list secrets in namespace shop",
        "the right to create envoyfilters in namespace istio-system",
        "gateway.rateLimit.enabled=false goes without",
    ):
        assert what in said
    assert target.puts.sent == []


@pytest.mark.parametrize(
    "change",
    [
        lambda target, waiting: session.roll(target, rollout.abort, waiting, "rollout abort"),
        lambda target, waiting: session.roll_back(target, 1, waiting),
    ],
    ids=["abort", "rollback"],
)
def test_a_change_without_the_rights_to_it_is_refused_before_anything(
    target, server, waiting, change
):
    target.puts.keep(ON)
    target.puts.keep({**ON, "gateway": {"rateLimit": {"enabled": True}, "namespace": "edge"}})
    server.forbidden = {("patch", "envoyfilters"), ("delete", "envoyfilters")}
    with pytest.raises(ClusterError, match=r"may not do what it takes[\s\S]*envoyfilters"):
        change(target, waiting)
    assert target.puts.sent == []


def _cut_off(target, *before):
    for values in before:
        target.puts.keep(values)
    target.puts.keep(OFF, status=f"pending-{'upgrade' if before else 'install'}")
    if before:
        target.puts.kept[-2]["status"] = "deployed"
    target.puts.store()


@pytest.mark.parametrize(
    "change",
    [
        lambda target, waiting: session.roll(target, rollout.abort, waiting, "rollout abort"),
        lambda target, waiting: session.deploy(target, session.Asked(target.chart), waiting),
        lambda target, _: session.preview(target, session.Asked(target.chart)),
    ],
    ids=["abort", "deploy", "preview"],
)
def test_over_a_revision_that_was_cut_off_the_way_back_is_told(
    target, waiting, change, tmp_path, monkeypatch
):
    monkeypatch.setattr(session.prerequisites, "check", lambda *_: None)
    target.chart = write_chart(_chart(), tmp_path / "chart")
    _cut_off(target, ON)
    with pytest.raises(ClusterError, match=r"2 .* pending-upgrade[\s\S]*deploy --rollback"):
        change(target, waiting)
    assert target.puts.sent == []


def test_a_first_install_that_was_cut_off_is_to_be_removed(target, waiting):
    _cut_off(target)
    for change in (
        lambda: session.roll(target, rollout.abort, waiting, "rollout abort"),
        lambda: session.roll_back(target, None, waiting),
        lambda: session.roll_back(target, 1, waiting),
    ):
        with pytest.raises(ClusterError, match=r"pending-install[\s\S]*uninstall serinus -n shop"):
            change()
    assert target.puts.sent == []


def _unlocking(target, monkeypatch):
    """What the engine's rollback to the cut-off revision leaves; the numbers it was asked for."""
    unlocked = []

    def unlock(number):
        unlocked.append(number)
        cut_off = target.puts.kept[-1]
        cut_off["status"] = "superseded"
        target.puts.keep(cut_off["values"], description=f"Rollback to {number}")

    monkeypatch.setattr(target.releases, "unlock", unlock)
    return unlocked


def test_leading_back_finishes_what_was_cut_off_and_goes_from_there(
    target, waiting, said, monkeypatch
):
    unlocked = _unlocking(target, monkeypatch)
    _cut_off(target, ON)  # An abort: its canary may be gone already.
    session.roll_back(target, None, waiting)
    assert unlocked == [2]
    assert said[:2] == ["back to revision 1", "revision 2 was cut off, and is finished first"]
    first, then = (sent["rollout"] for sent, *_ in target.puts.sent)
    assert first["canary"] == {"enabled": True, "routed": False}
    whole = rollout.read(merge(_chart()["values"], {"rollout": then}))
    # In epoch 2 visitors may have been drawn already.
    assert (whole.routed, whole.epoch) == (True, 3)


def test_a_revision_that_is_finished_meanwhile_is_left_alone(target, waiting, monkeypatch):
    unlocked = _unlocking(target, monkeypatch)
    _cut_off(target, ON)
    check = session.prerequisites.check_rights

    def finish(*given):
        target.puts.kept[0]["status"], target.puts.kept[1]["status"] = "superseded", "deployed"
        target.puts.store()
        return check(*given)

    monkeypatch.setattr(session.prerequisites, "check_rights", finish)
    with pytest.raises(ClusterError, match="revision 2 was finished meanwhile"):
        session.roll_back(target, None, waiting)
    assert (unlocked, target.puts.sent) == ([], [])


def _failed(target, values):
    target.puts.keep(ON)
    target.puts.keep(values, status="failed")
    target.puts.kept[0]["status"] = "deployed"
    target.puts.store()


@pytest.mark.parametrize(
    "change",
    [
        lambda t, w: session.roll(t, lambda o, v: rollout.set_weight(o, v, 10), w, "set"),
        lambda t, w: session.roll_back(t, None, w),
        lambda t, w: session.deploy(t, session.Asked(t.chart), w),
    ],
    ids=["set", "rollback", "deploy"],
)
def test_after_a_failed_abort_the_canary_comes_back_in_two_steps(
    target, waiting, change, tmp_path, monkeypatch
):
    monkeypatch.setattr(session.prerequisites, "check", lambda *_: None)
    target.chart = write_chart(_chart(), tmp_path / "chart")
    _failed(target, OFF)
    change(target, waiting)
    first, then = (sent["rollout"] for sent, *_ in target.puts.sent)
    assert first["canary"] == {"enabled": True, "routed": False}
    whole = rollout.read(merge(_chart()["values"], {"rollout": then}))
    assert (whole.routed, whole.canary, whole.epoch) == (True, 10, 3)


def test_a_failed_canary_s_epoch_is_not_another_one_s(target, waiting):
    tracks = {"canary": {"image": {"tag": "3"}}}
    _failed(target, {"rollout": {"epoch": 2}, "workloads": {"app-service": {"tracks": tracks}}})
    session.roll(target, lambda o, v: rollout.set_weight(o, v, 30), waiting, "rollout set")
    ((sent, *_),) = target.puts.sent
    assert (sent["rollout"]["epoch"], sent["rollout"]["weights"]["canary"]) == (3, 30)


def test_a_revision_that_somebody_else_made_meanwhile_is_not_undone(target, waiting):
    target.puts.keep(ON)

    def change(overlay, values):
        target.puts.keep({**ON, "image": {"tag": "hotfix"}})
        return rollout.set_weight(overlay, values, 30)

    with pytest.raises(ClusterError, match=r"revision 2 was made meanwhile[\s\S]*repeat"):
        session.roll(target, change, waiting, "rollout set")
    assert target.puts.sent == []


def test_after_an_uninstall_that_kept_the_history_it_is_installed_anew(
    target, waiting, tmp_path, monkeypatch
):
    monkeypatch.setattr(session.prerequisites, "check", lambda *_: None)
    target.puts.keep(OFF, status="uninstalled")
    with pytest.raises(ClusterError, match="no release serinus is installed"):
        target.installed()
    chart = write_chart(_chart(), tmp_path / "chart")
    assert session.deploy(target, session.Asked(chart), waiting) == 2
    ((sent, first, *_),) = target.puts.sent
    assert first
    assert rollout.read(merge(_chart()["values"], sent)).enabled


def test_ctrl_c_tells_what_is_in_the_cluster(target, said, monkeypatch):
    target.puts.keep(ON)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.roll(target, rollout.abort, session.Waiting(interrupt, said.append), "abort")
    assert said == ["interrupted: revision 2 is in force; its pods go on by themselves"]
    monkeypatch.setattr(target.releases, "put", lambda *_, **__: interrupt(None))
    with pytest.raises(KeyboardInterrupt):
        session.roll_back(target, 1, session.Waiting(interrupt, said.append))
    assert said[-1].startswith("interrupted: `serinus deploy --history` shows whether")


def test_a_gateway_that_is_not_there_is_told(target, server):
    _installed(server)
    with pytest.raises(ClusterError, match=r"no Service istio/ingress[\s\S]*--gateway HOST:PORT"):
        gateway(target)
