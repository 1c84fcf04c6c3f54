"""What tests of started processes need: a port for one, and the line that says it is ready."""

from __future__ import annotations

import socket
from collections.abc import Iterable


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_said(output: Iterable[str] | None, word: str) -> None:
    """Read a process's output up to a line that holds `word`.

    AssertionError with all that it said when it ends before.
    """
    assert output is not None
    said = []
    for line in output:
        said.append(line)
        if word in line:
            return
    raise AssertionError(f"it ended before it said {word!r}:\n" + "".join(said))
