"""The peers' request and response, the same JSON as model-service's."""

from __future__ import annotations

from pydantic import BaseModel


class PredictRequest(BaseModel):
    text: str | None = None
    texts: list[str] | None = None


class ModelInfo(BaseModel):
    name: str
    version: str
    digest: str


class Prediction(BaseModel):
    label: str
    confidence: float


class PredictResponse(BaseModel):
    model: ModelInfo
    predictions: list[Prediction]
