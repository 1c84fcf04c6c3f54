"""Reads labelled reviews: `Review<TAB>Liked` files, one per theme.

Enters: paths. Leaves: `Reviews`, checked. Called by training, tuning, evaluation and the tools
that look after the data set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from serinus.errors import ModelError

LABELS: Final = ["negative", "positive"]
HEADING: Final = ("Review", "Liked")


class Reviews(NamedTuple):
    """Per review its text, its label (1 is liked) and its theme (the name of its file)."""

    texts: list[str]
    labels: list[int]
    themes: list[str]

    def digest(self) -> str:
        """SHA-256 of texts and labels, in order."""
        lines = (f"{t}\t{y}\n" for t, y in zip(self.texts, self.labels, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read(paths: Sequence[Path]) -> Reviews:
    """The reviews of `paths`.

    Columns after the second are allowed and ignored (`dataset` may write the track). Raises
    ModelError naming the file and line that does not fit, or when a label is missing altogether.
    """
    texts: list[str] = []
    labels: list[int] = []
    themes: list[str] = []
    for path in paths:
        for number, (text, label) in enumerate(_rows(path), start=1):
            if number == 1 and (text, label) == HEADING:
                continue
            if not text.strip() or label not in ("0", "1"):
                raise ModelError("expected a text, a tab, and 1 or 0", where=f"{path}:{number}")
            texts.append(text)
            labels.append(int(label))
            themes.append(path.stem)
    if len(set(labels)) != len(LABELS):
        raise ModelError(
            "the data needs reviews that were liked and reviews that were not",
            where=", ".join(map(str, paths)),
        )
    return Reviews(texts, labels, themes)


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot be read as UTF-8 text: {error}", where=str(path)) from error
    if lines[-1] == "":
        lines.pop()
    return [(text, rest.partition("\t")[0].strip()) for text, _, rest in
            (line.rstrip("\r").partition("\t") for line in lines)]  # fmt: skip
