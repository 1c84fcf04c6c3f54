"""Does every dependency that pyproject.toml names have a pin in requirements/dev.txt?

Enters: both files. Leaves: exit 0, or the missing names and exit 1. Called by tools/check.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def normal(name: str) -> str:
    """A package's name as locks spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]).lower()


def main() -> int:
    """Compare, report, return the exit code."""
    project = tomllib.loads(Path("pyproject.toml").read_text())
    groups = [project["project"]["dependencies"]]
    groups += project["project"]["optional-dependencies"].values()
    groups += project["dependency-groups"].values()
    wanted = {normal(entry) for group in groups for entry in group}
    lock = Path("requirements/dev.txt").read_text()
    pinned = {normal(line) for line in lock.splitlines() if re.match(r"^[A-Za-z0-9].*==", line)}
    missing = sorted(wanted - pinned)
    if missing:
        print(f"not pinned: {', '.join(missing)}; run `make lock`", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
