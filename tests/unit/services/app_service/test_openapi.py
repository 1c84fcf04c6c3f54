"""The description of the API: complete, consistent with itself, and true of real answers."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import msgspec
import pytest

from serinus.services.app_service import openapi
from serinus.services.app_service.routes import OPERATIONS, ROUTES

from .conftest import Client

DOCUMENT: Any = msgspec.json.decode(msgspec.json.encode(openapi.document("9", OPERATIONS)))
SCHEMAS = DOCUMENT["components"]["schemas"]


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_every_route_is_described() -> None:
    described = {
        (path, method) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    routed = {
        (route.path, method.lower())
        for route in ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }
    pages = {
        (path, "get") for path in ("/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css")
    }
    assert described == routed - pages


def test_every_reference_leads_somewhere() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    found = set(re.findall(r'"\$ref":"#/components/schemas/(\w+)"', text))
    assert found <= SCHEMAS.keys()
    assert {"Review", "Feedback", "Problem", "ModelInfo", "FieldProblem"} <= found
    assert '"$ref":"' not in re.sub(r'"\$ref":"#/components/schemas/\w+"', "", text)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_operation_is_complete() -> None:
    identifiers = set()
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            identifiers.add(operation["operationId"])
            assert operation["summary"]
            assert operation["responses"]
            in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path))
            if body := operation.get("requestBody"):
                content = body["content"]["application/json"]
                name = content["schema"]["$ref"].rpartition("/")[2]
                validator(name).validate(content["example"])
                assert {"413", "415", "422"} <= operation["responses"].keys()
    assert len(identifiers) == len(OPERATIONS)


async def test_real_answers_fit_the_description(sqlite_client: Client) -> None:
    served = (await sqlite_client.ask("GET", "/openapi.json")).json()
    assert served == DOCUMENT
    headers = sqlite_client.visitor()
    review = await sqlite_client.submit(headers)
    validator("Review").validate(review)
    path = f"/v1/reviews/{review['id']}/feedback"
    feedback = await sqlite_client.ask(
        "POST", path, headers=headers, json={"action": "override", "sentiment": "negative"}
    )
    validator("Feedback").validate(feedback.json())
    validator("VersionInfo").validate((await sqlite_client.ask("GET", "/version")).json())
    problem = await sqlite_client.ask("POST", "/v1/reviews", json={"text": ""})
    validator("Problem").validate(problem.json())
    erased = await sqlite_client.ask("DELETE", "/v1/visitors/me", headers=headers)
    validator("Erasure").validate(erased.json())
