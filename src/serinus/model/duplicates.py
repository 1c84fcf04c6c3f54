"""Finds texts that are nearly the same.

Enters: texts. Leaves: pairs with their similarity. Called by `data/check.py` and the test that
keeps the data set varied. MinHash finds candidates, the exact Jaccard similarity decides.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

SHINGLE: Final = 4
"""Characters of a shingle; single sentences have too few words for word shingles."""
THRESHOLD: Final = 0.7
_BANDS: Final = 20
_ROWS: Final = 3


class Pair(NamedTuple):
    """Indices of two texts, the lower first, and the Jaccard similarity of their shingles."""

    first: int
    second: int
    similarity: float


def shingles(text: str) -> frozenset[int]:
    """Hashes of the runs of four characters, without case, punctuation and repeated spaces."""
    plain = " ".join(re.findall(r"\w+", text.lower()))
    runs = {plain[i : i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1))}
    return frozenset(zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in runs)


def near(texts: Sequence[str], threshold: float = THRESHOLD) -> list[Pair]:
    """Pairs at least as similar as `threshold`, in order of the texts.

    A pair of similarity s becomes a candidate with probability 1 - (1 - s**3)**20: 0.9998 at 0.7.
    """
    sets = [shingles(text) for text in texts]
    random = np.random.default_rng(1)
    # Multiplication by an odd number, modulo 2**32: quick, and as good as random here.
    factors = random.integers(0, 1 << 31, _BANDS * _ROWS).astype(np.uint32) * np.uint32(2) + 1
    offsets = random.integers(0, 1 << 32, _BANDS * _ROWS).astype(np.uint32)
    buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, found in enumerate(sets):
        hashes = np.fromiter(found, np.uint32, len(found))
        signature = (hashes[:, None] * factors + offsets).min(axis=0)
        for band in range(_BANDS):
            part = signature[band * _ROWS : (band + 1) * _ROWS]
            buckets[band, part.tobytes()].append(index)
    candidates = {
        (first, second)
        for members in buckets.values()
        for place, first in enumerate(members)
        for second in members[place + 1 :]
    }
    pairs = []
    for first, second in sorted(candidates):
        similarity = len(sets[first] & sets[second]) / len(sets[first] | sets[second])
        if similarity >= threshold:
            pairs.append(Pair(first, second, similarity))
    return pairs
