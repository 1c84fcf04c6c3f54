"""POST /v1/predict: predictions in order, and no bad input that gives a 5xx."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serinus.services.model_service.predictor import MAX_BODY_BYTES, MAX_TEXTS


async def test_one_text(client: Any, engine: Any) -> None:
    answer = await client.predict({"text": "good food"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "model": {"name": "reviews", "version": "v1", "digest": engine.manifest.digest},
        "predictions": [{"label": "positive", "confidence": 0.9}],
    }
    assert answer.headers["x-served-by"] == "model-service/stable"


async def test_texts_are_answered_in_order(client: Any) -> None:
    answer = await client.predict({"texts": ["good", "awful", "good"]})
    assert [p["label"] for p in answer.json()["predictions"]] == [
        "positive", "negative", "positive",
    ]  # fmt: skip


async def test_a_body_in_pieces(client: Any) -> None:
    answer = await client.call(
        "POST", "/v1/predict", [b'{"te', b'xt": "go', b'od"}'], content_type="application/json"
    )
    assert answer.json()["predictions"][0]["label"] == "positive"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b'{"text": "\xed\xa0\x80"}', 400, None),
        (b'{"text": "\\ud800"}', 400, None),
        (b'{"text": "a\x01b"}', 400, None),
        (b"[" * 100_000, 422, ""),
        (b'{"text": ' + b"[" * 100_000, 422, "text"),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        ({}, 422, "text"),
        ({"text": None}, 422, "text"),
        ({"text": "a", "texts": ["b"]}, 422, "text"),
        ({"text": 5}, 422, "text"),
        ({"text": ["a"]}, 422, "text"),
        ({"texts": "a"}, 422, "texts"),
        ({"texts": ["a", None]}, 422, "texts[1]"),
        ({"texts": []}, 422, "texts"),
        ({"texts": ["a"] * (MAX_TEXTS + 1)}, 422, "texts"),
        ({"text": ""}, 422, "text"),
        ({"text": " \n\t\u2003"}, 422, "text"),
        ({"texts": ["good", " "]}, 422, "texts[1]"),
        ({"text": "x" * 5_001}, 422, "text"),
        ({"text": "x" * 100_000}, 422, "text"),
        ({"text": "x" * MAX_BODY_BYTES}, 413, None),
        ({"text": "a", "other": 1}, 422, ""),
    ],
)
async def test_bad_input_is_refused_and_explained(
    client: Any, body: Any, status: int, field: str | None
) -> None:
    answer = await client.predict(body)
    problem = answer.json()
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["detail"]
    assert [error["field"] for error in problem.get("errors", [])] == (
        [] if field is None else [field]
    )


async def test_a_declared_size_is_refused_before_the_body_is_read(client: Any, engine: Any) -> None:
    answer = await client.predict({"text": "good"}, content_length=str(MAX_BODY_BYTES + 1))
    assert answer.status == 413
    assert engine.calls == 0


@pytest.mark.parametrize("length", ["-1", "1e9", "", "\u00b2"])
async def test_a_strange_content_length_is_no_crash(client: Any, length: str) -> None:
    assert (await client.predict({"text": "good"}, content_length=length)).status == 200


async def test_pieces_beyond_the_limit_are_refused(client: Any) -> None:
    pieces = [b"x" * 400_000] * 3
    answer = await client.call("POST", "/v1/predict", pieces, content_type="application/json")
    assert answer.status == 413


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonp", "multipart/form-data"])
async def test_another_content_type_is_refused(client: Any, kind: str) -> None:
    assert (await client.predict({"text": "good"}, content_type=kind)).status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
async def test_the_content_type_may_have_parameters(client: Any, kind: str) -> None:
    assert (await client.predict({"text": "good"}, content_type=kind)).status == 200


async def test_a_client_that_goes_away_is_no_failure_of_ours(client: Any, engine: Any) -> None:
    answer = await client.call(
        "POST", "/v1/predict", b'{"text": "go', gone=True, content_type="application/json"
    )
    assert answer.status == 400
    assert engine.calls == 0


async def test_other_methods_are_refused(client: Any) -> None:
    answer = await client.call("GET", "/v1/predict")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.call("GET", "/v1/predictions")).status == 404


async def test_control_characters_and_every_script_are_predicted(client: Any) -> None:
    text = "good\x00\x07\x1b \u202e\ufffe \U0001f600 \u0645\u0645\u062a\u0627\u0632"
    assert (await client.predict({"text": text})).status == 200


async def test_a_crash_is_a_problem_too(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = await client.predict({"text": "crash"})
    assert (answer.status, answer.json()["title"]) == (500, "Internal server error")
    assert "RuntimeError: crash" in caplog.text


async def test_long_work_leaves_the_event_loop(
    client: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    usual = engine.predict

    def predict(texts: list[str]) -> Any:
        threads.append(threading.current_thread())
        return usual(texts)

    monkeypatch.setattr(engine, "predict", predict)
    await client.predict({"text": "short"})
    await client.predict({"texts": ["long " * 500] * 4})
    engine.blocking = True
    await client.predict({"text": "short"})
    main = threading.main_thread()
    assert [thread is main for thread in threads] == [True, False, False]


async def test_predictions_are_counted(client: Any) -> None:
    await client.predict({"texts": ["good", "awful", "good"]})
    await client.predict({"text": ""})
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in client.telemetry.collect()
        for sample in family.samples
    }
    own = ("model-service", "stable")
    for value, name, *labels in (
        (2, "serinus_predictions_total", "positive", "v1"),
        (1, "serinus_predictions_total", "negative", "v1"),
        (2, "serinus_prediction_confidence_count", "positive", "v1"),
        (1, "serinus_prediction_duration_seconds_count"),
        (1, "serinus_model_loaded", "reviews", "v1"),
        (1, "serinus_http_requests_total", "422", "POST", "/v1/predict", "none"),
    ):
        assert samples[(name, *sorted((*labels, *own)))] == value


@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")))
async def test_no_body_gives_a_server_error(client: Any, body: bytes) -> None:
    assert (await client.predict(body)).status < 500
    assert (await client.infer(body)).status < 500
    assert (await client.infer(body, inference_header_content_length="7")).status < 500
