"""The locks: hashes for everything, addresses for nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LOCKS = sorted((Path(__file__).parents[2] / "requirements").glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_hashes_and_none_an_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    pinned = [entry for entry in entries if re.match(r"[A-Za-z0-9][\w.\-]*==", entry)]
    assert pinned
    assert all("--hash=sha256:" in entry for entry in pinned)


def test_the_locks_agree_with_each_other() -> None:
    """A package may have one version per Python, but the same ones in every lock."""
    seen: dict[str, set[frozenset[str]]] = {}
    for lock in LOCKS:
        versions: dict[str, set[str]] = {}
        for name, version in re.findall(r"^([\w.\-]+)==(\S+)", lock.read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
        for name, found in versions.items():
            seen.setdefault(name, set()).add(frozenset(found))
    assert {name: found for name, found in seen.items() if len(found) > 1} == {}
