"""Checks the data set: `python data/check.py`.

Prints size, balance and lengths of each theme, near-duplicates within the training data, and how
many of its reviews the frozen set nearly has too. Exits 1 when there is any. `--remove` deletes the
later one of each pair, and what the frozen set has. Two nearly equal texts with different labels
("not once right", "not once wrong") are not duplicates: the difference is what there is to learn.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from serinus.model.data import Reviews, read
from serinus.model.duplicates import near

HERE = Path(__file__).resolve().parent
REVIEWS = sorted((HERE / "reviews").glob("*.tsv"))
FROZEN = [HERE / "frozen" / "elsewhere.tsv"]


def table(reviews: Reviews) -> None:
    """One line per theme."""
    print(f"{'theme':<12}{'reviews':>8}{'liked':>8}{'words':>8}")
    for theme in sorted(set(reviews.themes)):
        mine = [i for i, name in enumerate(reviews.themes) if name == theme]
        liked = sum(reviews.labels[i] for i in mine) / len(mine)
        words = sorted(len(reviews.texts[i].split()) for i in mine)[len(mine) // 2]
        print(f"{theme:<12}{len(mine):>8}{liked:>8.1%}{words:>8}")
    liked = sum(reviews.labels) / len(reviews.labels)
    print(f"{'all':<12}{len(reviews.texts):>8}{liked:>8.1%}\n")


def remove(reviews: Reviews, indices: list[int]) -> None:
    """Delete these reviews from their files."""
    wanted = Counter((reviews.themes[i], reviews.texts[i]) for i in set(indices))
    for path in REVIEWS:
        kept = []
        for line in path.read_text("utf-8").splitlines():
            key = (path.stem, line.partition("\t")[0])
            if wanted.pop(key, 0):
                print(f"removed from {path.name}: {key[1]}")
            else:
                kept.append(line)
        path.write_text("\n".join(kept) + "\n", "utf-8")


def main() -> int:
    """Print what there is; 1 when something has to go."""
    reviews, frozen = read(REVIEWS), read(FROZEN)
    table(reviews)
    pairs = near([*reviews.texts, *frozen.texts])
    size = len(reviews.texts)
    inner = [
        pair
        for pair in pairs
        if pair.second < size and reviews.labels[pair.first] == reviews.labels[pair.second]
    ]
    leaked = [pair for pair in pairs if pair.first < size <= pair.second]
    for pair in inner:
        texts = reviews.texts[pair.first], reviews.texts[pair.second]
        print(f"{pair.similarity:.2f}  {texts[0]}\n      {texts[1]}")
    print(f"{len(inner)} near-duplicates, {len(leaked)} shared with the frozen set")
    if "--remove" in sys.argv[1:]:
        remove(reviews, [p.second for p in inner] + [p.first for p in leaked])
        return 0
    return 1 if inner or leaked else 0


if __name__ == "__main__":
    sys.exit(main())
