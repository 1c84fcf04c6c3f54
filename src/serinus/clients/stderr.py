"""What the Helm engine writes to standard error by itself, made fit for a terminal.

Enters: lines of Go's klog, such as an API server's warnings, that the engine writes past Python.
Leaves: the same as `warning: ...` on `sys.stderr`. Called by `serinus.clients.releases`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_WARNING: Final = re.compile(r'I\d{4} [\d:.]+ +\d+ warnings\.go:\d+\] "(?:Warning: )?(?P<text>.*)"')
_EXPECTED: Final = "EnvoyFilter exposes internal implementation details"
"""Said at each change of a release with a rate limit, for which Istio has no other API."""


@contextmanager
def readable() -> Iterator[None]:
    """Hold back what is written to file descriptor 2 meanwhile, and print it at the end."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in dict.fromkeys(held.read().decode(errors="replace").splitlines()):
                if said := plain(line):
                    sys.stderr.write(f"{said}\n")


def plain(line: str) -> str:
    """A line of klog without its header; empty where there is nothing to tell."""
    if not (found := _WARNING.fullmatch(line)):
        return line
    try:
        text = json.loads(f'"{found["text"]}"')
    except ValueError:  # Go quotes some characters as JSON can't.
        return line
    return "" if text.startswith(_EXPECTED) else f"warning: {text}"
