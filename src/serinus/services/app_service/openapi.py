"""Describes the API as OpenAPI 3.1, from the wire types themselves.

Enters: the `Operation` that each route declares. Leaves: the document behind /openapi.json. Built
once by `routes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from serinus.contracts.api import Problem
from serinus.services.chassis.http import TITLES

_PROBLEMS: Final = {
    400: "The body is not JSON, or a header is malformed.",
    401: "Neither `x-user` nor a valid feedback token came along.",
    404: "The caller has no such review.",
    409: "The review has no prediction that this feedback could be about.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "The body has another shape, or a value that is not allowed; `errors` names the fields.",
    503: "The model or the event store does not answer; try again after `retry-after` seconds.",
}

IDEMPOTENCY_KEY: Final = {
    "name": "idempotency-key",
    "in": "header",
    "description": "Chosen at random by the caller, 16 to 200 visible ASCII characters. The same "
    "key with the same content is one review, however often it is sent.",
    "schema": {"type": "string", "minLength": 16, "maxLength": 200},
}
REVIEW_ID: Final = {
    "name": "review_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `answers` maps a status to its type (`None`: no body) and description."""

    operation_id: str
    summary: str
    description: str
    answers: Mapping[int, tuple[Any, str]]
    body: Any = None
    example: Any = None
    parameters: Sequence[Mapping[str, Any]] = ()
    problems: Sequence[int] = ()
    token: bool = False
    answer_headers: Mapping[str, str] = field(default_factory=dict)


def document(version: str, operations: Mapping[tuple[str, str], Operation]) -> dict[str, Any]:
    """The whole document; `operations` are keyed by path and lower-case method."""
    types = [Problem]
    for operation in operations.values():
        types += [operation.body] if operation.body is not None else []
        types += [kind for kind, _ in operation.answers.values() if kind is not None]
    _, schemas = msgspec.json.schema_components(
        dict.fromkeys(types), ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), operation in operations.items():
        paths.setdefault(path, {})[method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Restaurant reviews",
            "version": version,
            "summary": "Submit a review, see its predicted sentiment, confirm or correct it.",
            "description": "Times are RFC 3339 in UTC. Errors are RFC 9457 problem details.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "feedback_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The `feedback_token` of the 201 that answered the submission.",
                }
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.description,
        "responses": {
            str(status): _answer(kind, description, operation.answer_headers)
            for status, (kind, description) in operation.answers.items()
        }
        | {str(status): _problem(status) for status in operation.problems},
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        content: dict[str, Any] = {"schema": _reference(operation.body)}
        if operation.example is not None:
            content["example"] = operation.example
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    if operation.token:
        described["security"] = [{"feedback_token": []}]
    return described


def _answer(kind: Any, description: str, headers: Mapping[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description}
    if kind is not None:
        answer["content"] = {"application/json": {"schema": _reference(kind)}}
    if headers:
        answer["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    return answer


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": f"{TITLES[status]}. {_PROBLEMS[status]}",
        "content": {"application/problem+json": {"schema": _reference(Problem)}},
    }


def _reference(kind: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
