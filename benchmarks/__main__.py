"""`python -m benchmarks [NAME ...]`: measures and prints; `make bench` runs all of them.

Enters: names of benchmarks. Leaves: figures beside their goals, and benchmarks.json in the state
directory of benchmarks, `.bench/`. The exit code is 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import workbench
from benchmarks.report import Report
from benchmarks.servers import ROOT

NAMES = ("prediction", "model_quality", "serving", "stack", "system")


def main() -> int:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, default=6, help="length of one load (6)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if shutil.which("wrk") is None:
        print("wrk is missing. Install it: make dev", file=sys.stderr)
        return 3
    report = Report()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )
    if (os.cpu_count() or 1) < 2:
        report.note("one core only: server and load share it")
    with tempfile.TemporaryDirectory(prefix="serinus-bench-") as folder:
        bench = workbench.prepare(Path(folder), options.seconds)
        for name in options.names or NAMES:
            importlib.import_module(f"benchmarks.{name}").measure(bench, report)
    report.write(ROOT / ".bench/benchmarks.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
