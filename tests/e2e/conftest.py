"""The whole system on this machine, started once for the tests that leave it as they found it.

`system` is shared; a test that changes the rollout or kills processes asks for `own_system`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support import Run
from tests.support.process import free_port

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a whole-system test, and one worker runs all of a file."""
    for item in items:
        if Path(str(item.path)).is_relative_to(ROOT / "tests" / "e2e"):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with both models, trained once."""
    registry = tmp_path_factory.mktemp("registry")
    reviews = sorted((ROOT / "data" / "reviews").glob("*.tsv"))
    for version in ("v1", "v2"):
        subprocess.run(
            [sys.executable, "-m", "serinus.cli.main", "model", "train", *map(str, reviews),
             "--registry", str(registry), "--name", "reviews", "--version", version],
            check=True, capture_output=True,
        )  # fmt: skip
    return registry


@contextmanager
def _running(state: Path, trained: Path) -> Iterator[Run]:
    """A system that is ended whatever happens, also when it does not get ready."""
    shutil.copytree(trained, state / "registry")
    run = Run(state, free_port())
    try:
        run.serinus("up", "--port", str(run.port))
        yield run
    finally:
        run.serinus("down")


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[Run]:
    """The running system, 90/10, for tests that change nothing of it."""
    with _running(tmp_path_factory.mktemp("shared") / "state", trained) as run:
        yield run


@pytest.fixture
def own_system(tmp_path: Path, trained: Path) -> Iterator[Run]:
    """A running system of the test's own."""
    with _running(tmp_path / "state", trained) as run:
        yield run
