"""Copies the modules that one service imports, and nothing else of the package.

Enters: a service's name, the package's source folder, the target folder. Leaves: the modules
reachable by imports (late ones included), the data files of their packages, and `start.py` beside
the target. Called by `images/Dockerfile`; needs nothing but Python.
"""

import ast
import shutil
import sys
from pathlib import Path


def imported(path: Path, module: str) -> set[str]:
    """Modules of the package that the file imports; a name may turn out to be an attribute."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                sys.exit(
                    f"{path}:{node.lineno}: {module} imports relatively; the copy follows names"
                )
            base = node.module or ""
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in found if name == "serinus" or name.startswith("serinus.")}


def file_of(source: Path, module: str) -> Path | None:
    """The file of a module, `None` for what is an attribute."""
    base = source.joinpath(*module.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def reachable(source: Path, start: str) -> dict[str, Path]:
    """Every module that `start` needs, its packages included."""
    found: dict[str, Path] = {}
    queue = [start]
    while queue:
        module = queue.pop()
        path = file_of(source, module)
        if path is None or module in found:
            continue
        found[module] = path
        queue += imported(path, module)
        if "." in module:
            queue.append(module.rpartition(".")[0])
    return found


def main(service: str, source: Path, target: Path) -> None:
    """Copy, and write `start.py`."""
    name = f"serinus.services.{service.replace('-', '_')}"
    entry = source.joinpath(*name.split(".")[1:]) / "__main__.py"
    if not entry.is_file():
        sys.exit(f"no service is called {service!r}: {entry} is missing")
    modules = reachable(source, f"{name}.__main__")
    for path in modules.values():
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    # A service's own folder also holds what is no module: templates, pages, migrations.
    own = source.joinpath(*name.split(".")[1:])
    for path in own.rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    (target.parent / "start.py").write_text(
        f'import runpy\n\nrunpy.run_module("{name}", run_name="__main__", alter_sys=True)\n'
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
