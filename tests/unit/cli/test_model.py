"""`serinus model` from the command line, on a small model."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from serinus.cli.dataset import rows
from serinus.cli.main import run
from serinus.contracts.api import ModelInfo
from serinus.contracts.routing import Assignment
from serinus.services.app_service.store.base import NewReview, Origin, Outcome
from serinus.services.app_service.store.sqlite import SqliteStore

DATA = Path(__file__).resolve().parents[3] / "data/reviews"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with v1, trained on two themes."""
    folder = tmp_path_factory.mktemp("registry")
    data = [str(DATA / "plain.tsv"), str(DATA / "price.tsv")]
    assert run(["model", "train", *data, "--registry", str(folder), "--version", "v1"]) == 0
    return folder


def test_a_version_is_never_written_over(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = ["model", "train", str(DATA / "plain.tsv"), "--registry", str(store)]
    assert run(again) == 2
    assert "versions never change" in capsys.readouterr().err


def test_evaluate_prints_figures_and_plots(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(DATA / "place.tsv"), "--version", "v1", "--plots", str(tmp_path)]
    assert run(["model", "evaluate", *asked, "--registry", str(store), "--mistakes", "2"]) == 0
    said = capsys.readouterr().out
    for part in ("accuracy", "95 % interval", "F1 negative", "Brier", "by theme", "confusion"):
        assert part in said
    assert {path.name for path in tmp_path.iterdir()} == {"reliability.png", "confusion.png"}


def test_evaluate_as_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [str(DATA / "place.tsv"), "--version", "v1", "--json"]
    assert run(["model", "evaluate", *asked, "--registry", str(store)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(map(sum, told["matrix"])) == told["total"]
    assert told["low"] < told["accuracy"] < told["high"]
    assert told["mistakes"][0].keys() == {"text", "label", "confidence"}


def test_the_training_data_is_no_judgment(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = [str(DATA / "plain.tsv"), str(DATA / "price.tsv")]
    assert run(["model", "evaluate", *data, "--version", "v1", "--registry", str(store)]) == 0
    assert "was trained on" in capsys.readouterr().err


def test_list_pull_verify_publish_promote(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["model", "list", "--registry", str(store)]) == 0
    assert capsys.readouterr().out.startswith("v1\tlinear\t")
    pull = ["model", "pull", "v1", "--registry", str(store), "--to", str(tmp_path / "models")]
    assert run(pull) == 0
    folder = tmp_path / "models/reviews/v1"
    assert run(["model", "verify", str(folder)]) == 0
    other = str(tmp_path / "other")
    assert run(["model", "publish", str(folder), "--registry", other]) == 0
    capsys.readouterr()
    assert run(["model", "promote", "v1", "--registry", other, "--track", "stable"]) == 0
    said = capsys.readouterr().out
    assert "      stable:\n        model:\n          name: reviews\n          version: v1" in said


def test_an_altered_artifact_is_named(store: Path, tmp_path: Path) -> None:
    run(["model", "pull", "v1", "--registry", str(store), "--to", str(tmp_path)])
    path = tmp_path / "reviews/v1/model.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    assert run(["model", "verify", str(path.parent)]) == 1


async def visit(
    store: SqliteStore, text: str, sentiment: str | None, label: str = "positive", **origin: str
) -> Origin:
    """One review, predicted, and with `sentiment` also the feedback on it."""
    base = {"client_class": "browser", "frontend_track": "canary", "service_track": "canary"}
    by = Origin(secrets.token_bytes(16), Assignment("canary", 7, 10, "assigned"), **(base | origin))
    made = NewReview(secrets.token_hex(16), by, text, True, "f" * 16, text.encode()[:16])
    await store.submit(made)
    model = ModelInfo("reviews", "v2", "a" * 64)
    await store.finish(made.id, Outcome(by, True, "f" * 16, label, 0.9, model, "canary"))
    if sentiment == label:
        await store.give_feedback(made.id, "confirm", None, by)
    elif sentiment:
        await store.give_feedback(made.id, "override", sentiment, by)
    return by


async def filled(path: Path) -> list[Origin]:
    store = SqliteStore(path)
    await store.open()
    try:
        visits = [
            await visit(store, "Good\tsoup.\nReally.", "positive"),
            await visit(store, "Cold soup.", "negative"),
            await visit(store, "No feedback.", None),
            await visit(store, "A bot's.", "positive", client_class="bot"),
            await visit(store, "Disputed.", "positive"),
            await visit(store, "Disputed.", "negative"),
            await visit(store, "Erased.", "negative"),
        ]
        await store.erase(visits[-1].unit)
    finally:
        await store.close()
    return visits


@pytest.mark.parametrize("with_track", [False, True])
def test_feedback_becomes_a_training_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], with_track: bool
) -> None:
    import asyncio

    visits = asyncio.run(filled(tmp_path / "events.db"))
    output = tmp_path / "feedback.tsv"
    asked = ["--from-feedback", str(tmp_path / "events.db"), "-o", str(output)]
    assert run(["model", "dataset", *asked, *(["--with-track"] if with_track else [])]) == 0
    end = "\tcanary" if with_track else ""
    assert output.read_text("utf-8").splitlines() == [
        "Review\tLiked" + ("\tTrack" if with_track else ""),
        "Cold soup.\t0" + end,
        "Good soup. Really.\t1" + end,
    ]
    written = output.read_bytes()
    assert not any(by.unit in written or by.unit.hex().encode() in written for by in visits)
    assert run(["model", "dataset", *asked]) == 2
    assert "the file exists" in capsys.readouterr().err


def test_a_missing_store_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--from-feedback", str(tmp_path / "no.db"), "-o", str(tmp_path / "out.tsv")]
    assert run(["model", "dataset", *asked]) == 2
    assert "no event store" in capsys.readouterr().err
    assert not (tmp_path / "no.db").exists()


def test_no_reviews_no_rows() -> None:
    assert rows([], with_track=True) == []
