"""A lock between processes on one file system.

Enters: a path. Leaves: exclusive access while the block runs. Used by `cache` and `publish`; the
system frees it when its holder dies, so nothing is ever left locked.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serinus.errors import RegistryError

POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path, timeout: float) -> Iterator[None]:
    """Hold `path` for this process alone; RegistryError after `timeout` seconds of waiting."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise RegistryError(
            f"cannot lock: {error.strerror}",
            where=str(path),
            remedy="The directory must exist and be writable for this process.",
        ) from error
    try:
        _wait(handle, path, time.monotonic() + timeout)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, path: Path, deadline: float) -> None:
    # Polled, because a blocking flock in a thread could not be given up.
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise RegistryError(
                    "another process holds the lock for too long",
                    where=str(path),
                    remedy="It frees the lock when it has finished or ends; then try again.",
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            return
