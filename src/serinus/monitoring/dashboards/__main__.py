"""`python -m serinus.monitoring.dashboards [--check] DIRECTORY`: writes or compares the JSON files.

Enters: the directory of the chart's dashboards. Leaves: one file per board; with `--check` exit
code 1 and the names of those that differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from serinus.monitoring.dashboards import BOARDS
from serinus.monitoring.dashboards.build import build


def main() -> int:
    """Write the dashboards, or compare them."""
    parser = argparse.ArgumentParser(prog="python -m serinus.monitoring.dashboards")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    made = {f"{board.title.lower()}.json": build(board) for board in BOARDS}
    differing = sorted(
        path.name
        for path in {*arguments.directory.glob("*.json"), *(arguments.directory / n for n in made)}
        if not path.exists() or made.get(path.name) != path.read_text(encoding="utf-8")
    )
    if not arguments.check:
        for name, text in made.items():
            (arguments.directory / name).write_text(text, encoding="utf-8")
    elif differing:
        sys.stderr.write(
            f"differ from their source: {', '.join(differing)}\n"
            f"  python -m serinus.monitoring.dashboards {arguments.directory} writes them\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
