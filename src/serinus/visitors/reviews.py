"""Labelled reviews for visitors to write, read from the project's TSV files.

Enters: paths of `Review<TAB>Liked` files. Leaves: labelled reviews. Called by `serinus simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from serinus.errors import SerinusError
from serinus.visitors.journey import LabelledReview


def load(paths: Iterable[Path]) -> list[LabelledReview]:
    """Every review of the files; SerinusError names the file and line that does not fit."""
    reviews = []
    for path in paths:
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SerinusError(f"cannot read the reviews: {error}", where=str(path)) from error
        if not lines or lines[0].split("\t") != ["Review", "Liked"]:
            raise SerinusError(
                "the first line is not 'Review<TAB>Liked'",
                where=f"{path}:1",
                remedy="Give a tab-separated file with the columns Review and Liked (1 or 0).",
            )
        for number, line in enumerate(lines[1:], start=2):
            text, _, liked = line.rpartition("\t")
            if not text.strip() or liked not in ("0", "1"):
                raise SerinusError("expected a text, a tab, and 1 or 0", where=f"{path}:{number}")
            reviews.append(LabelledReview(text, "positive" if liked == "1" else "negative"))
    return reviews
