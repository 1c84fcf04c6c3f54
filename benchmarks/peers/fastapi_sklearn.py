"""FastAPI on uvicorn with the scikit-learn pipeline, trained here on BENCH_DATA.

It is the pipeline that our artifact is exported from. BENCH_DATA lists the files, separated by
colons; BENCH_VERSION chooses the recipe.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI

from benchmarks.peers.schema import ModelInfo, Prediction, PredictRequest, PredictResponse
from benchmarks.pipeline import fit

app = FastAPI()
_PIPELINE = fit(
    [Path(path) for path in os.environ["BENCH_DATA"].split(":")], os.environ["BENCH_VERSION"]
)
_LABELS = ["negative", "positive"]
_MODEL = ModelInfo(name="reviews", version="bench", digest="0" * 64)


@app.post("/v1/predict")
async def predict(request: PredictRequest) -> PredictResponse:
    texts = [request.text or ""] if request.texts is None else request.texts
    rows = _PIPELINE.predict_proba(texts)
    return PredictResponse(
        model=_MODEL,
        predictions=[
            Prediction(label=_LABELS[int(row[1] >= 0.5)], confidence=float(row.max()))
            for row in rows
        ],
    )
