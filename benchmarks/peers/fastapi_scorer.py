"""FastAPI on uvicorn with Serinus's own scorer. BENCH_ARTIFACT names the artifact's folder."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI

from benchmarks.peers.schema import ModelInfo, Prediction, PredictRequest, PredictResponse
from serinus.model import engine

app = FastAPI()
_ENGINE = engine.load(Path(os.environ["BENCH_ARTIFACT"]))
_MANIFEST = _ENGINE.manifest
_MODEL = ModelInfo(name=_MANIFEST.name, version=_MANIFEST.version, digest=_MANIFEST.digest)


@app.post("/v1/predict")
async def predict(request: PredictRequest) -> PredictResponse:
    texts = [request.text or ""] if request.texts is None else request.texts
    return PredictResponse(
        model=_MODEL,
        predictions=[
            Prediction(label=label, confidence=confidence)
            for label, confidence in _ENGINE.predict(texts)
        ],
    )
