"""One prediction in process, for texts of three lengths, and the peers in process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks.pipeline import fit
from benchmarks.report import Report
from benchmarks.workbench import Workbench
from serinus.model import engine

GROUP = "One prediction in process"
LENGTHS = (60, 400, 5_000)


def texts_of(texts: list[str], length: int) -> list[str]:
    """100 texts of exactly `length` characters, cut from the reviews run together."""
    stream = " ".join(texts)
    step = max(1, (len(stream) - length) // 100)
    return [stream[start : start + length] for start in range(0, 100 * step, step)]


def microseconds(predict: Callable[[list[str]], object], texts: list[str], rounds: int) -> float:
    """The median over rounds of one prediction's mean processor time.

    Processor time, because other work on the machine would otherwise be measured too.
    """
    found = []
    for _ in range(rounds):
        started = time.thread_time_ns()
        for text in texts:
            predict([text])
        found.append((time.thread_time_ns() - started) / len(texts) / 1000)
    return statistics.median(found)


def measure(bench: Workbench, report: Report) -> None:
    """Ours at 60, 400 and 5,000 characters; scikit-learn at 60."""
    ours = engine.load(bench.folder / "artifact")
    for length in LENGTHS:
        value = microseconds(
            ours.predict, texts_of(bench.texts, length), 50 if length < 1000 else 10
        )
        goal = 15 if length == 60 else None
        report.add(GROUP, f"linear engine, {length:,} characters", value, "us", at_most=goal)
    pipeline = fit(bench.data, bench.version)
    value = microseconds(pipeline.predict_proba, texts_of(bench.texts, 60), 5)
    report.add(GROUP, "scikit-learn pipeline, 60 characters", value, "us")
