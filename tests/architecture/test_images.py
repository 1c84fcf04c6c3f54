"""What an image holds suffices to import its service: its lock, and the modules that it selects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from serinus.contracts.routing import APPS

ROOT = Path(__file__).parents[2]

IMPORTS = """
    import importlib, importlib.machinery, pathlib, sys

    allowed, root, name = set(sys.argv[1].split(",")), pathlib.Path(sys.argv[2]), sys.argv[3]

    class OnlyLocked(importlib.machinery.PathFinder):
        @classmethod
        def find_spec(cls, module, path=None, target=None):
            top = module.partition(".")[0]
            own = top.startswith("_sysconfigdata")  # made when Python is built
            if own or top in allowed or top in sys.stdlib_module_names:
                return super().find_spec(module, path, target)

    # What the interpreter loaded by itself (an editable install's hook) is in no image.
    for module in [m for m in sys.modules if m.partition(".")[0] not in sys.stdlib_module_names]:
        if module != "__main__":
            del sys.modules[module]
    # Neither site-packages as a whole nor an editable install's own finder.
    builtin = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]
    sys.meta_path = [*builtin, OnlyLocked]
    sys.path.insert(0, str(root))
    import serinus
    assert pathlib.Path(serinus.__file__).is_relative_to(root), serinus.__file__
    for path in sorted((root / "serinus").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        if not module.endswith(("__main__", ".onnx")):  # onnx is an extra, imported when needed
            importlib.import_module(module.removesuffix(".__init__"))
    importlib.import_module(f"{name}.__main__")
    print("imported")
"""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked(service: str) -> set[str]:
    """Top-level modules of the packages in the service's lock."""
    lines = (ROOT / "requirements" / f"{service}.txt").read_text().splitlines()
    names = {
        _normal(line.partition("==")[0]) for line in lines if re.match(r"[A-Za-z0-9].*==", line)
    }
    return {
        module
        for module, distributions in packages_distributions().items()
        if names & {_normal(distribution) for distribution in distributions}
    }


@pytest.mark.parametrize("service", APPS)
def test_an_images_packages_and_modules_suffice(service: str, tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            ROOT / "images/select.py",
            service,
            ROOT / "src/serinus",
            tmp_path / "serinus",
        ],
        check=True,
    )
    allowed = ",".join(sorted(_locked(service) | {"serinus"}))
    name = f"serinus.services.{service.replace('-', '_')}"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(IMPORTS), allowed, str(tmp_path), name],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "imported", done.stderr


def test_the_services_images_hold_nothing_of_each_other(tmp_path: Path) -> None:
    for service in APPS:
        target = tmp_path / service
        subprocess.run(
            [
                sys.executable,
                ROOT / "images/select.py",
                service,
                ROOT / "src/serinus",
                target / "serinus",
            ],
            check=True,
        )
        held = {path.name for path in (target / "serinus/services").iterdir() if path.is_dir()}
        assert held == {"chassis", service.replace("-", "_")}
        assert not (target / "serinus/local").exists()


def test_an_unknown_service_is_refused_by_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "images/select.py", "app-nothing", ROOT / "src/serinus", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "app-nothing" in done.stderr


def test_a_stripped_module_still_loads(tmp_path: Path) -> None:
    import uvloop

    original = Path(uvloop.__file__).parent
    shutil.copytree(original, tmp_path / "uvloop")
    (tmp_path / "text.so").write_text("no object file\n")
    subprocess.run([sys.executable, ROOT / "images/strip.py", tmp_path], check=True)
    (module,) = tmp_path.glob("uvloop/loop*.so")
    before = (original / module.name).stat().st_size
    assert module.stat().st_size < before / 4
    assert (tmp_path / "text.so").read_text() == "no object file\n"
    script = "import asyncio, sys; sys.path.insert(0, sys.argv[1]); import uvloop; "
    script += "assert sys.argv[1] in uvloop.__file__; uvloop.run(asyncio.sleep(0)); print('ran')"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "ran", done.stderr
