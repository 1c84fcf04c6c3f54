"""Reads and checks what a visitor's form sends.

Enters: a POST request. Leaves: its fields, or an error that the routes answer with a page. Used
by the POST routes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from serinus.contracts.api import MAX_REVIEW_CHARACTERS
from serinus.services.app_frontend.csrf import same_origin
from serinus.services.app_frontend.pages import of, visit_of

MAX_BODY: Final = 256_000
"""Bytes; four times what 5,000 characters can take, so that a text slightly too long is kept."""
MAX_DISCARDED: Final = 8_000_000
"""Bytes of a body too large that are still read, so that its sender sees why it was refused."""
CSRF_FIELD: Final = "csrf"
KEY_FIELD: Final = "key"
_KEY: Final = re.compile(r"[0-9a-f]{32}")


async def read(request: Request) -> dict[str, str]:
    """The fields of a form; the first of each name counts.

    Raises HTTPException: 413 beyond `MAX_BODY`, 415 for another content type, 400 for more than
    20 fields, 403 when the browser says that another site's page sent it.
    """
    if not same_origin(request.headers):
        raise HTTPException(403)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    raw = await _body(request)
    try:
        pairs = parse_qsl(
            raw.decode("ascii", "replace"),
            keep_blank_values=True,
            max_num_fields=20,
            errors="replace",
        )
    except ValueError as error:
        raise HTTPException(400) from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


async def _body(request: Request) -> bytes:
    """The body; HTTPException of 413 when it is too large.

    What is too large is still read, up to a limit: a browser shows no answer before it has sent
    its form.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        elif size > MAX_DISCARDED:
            break
    if size > MAX_BODY:
        raise HTTPException(413)
    return b"".join(chunks)


def token_accepted(request: Request, fields: Mapping[str, str]) -> bool:
    """Whether the form was made for this visitor."""
    return of(request).csrf.accepts(fields.get(CSRF_FIELD, ""), visit_of(request).user)


def cleaned(text: str) -> str:
    """The text as it is kept: line breaks as browsers show them, no white space around."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def text_problem(text: str) -> str | None:
    """What is wrong with a cleaned text, in words; `None` when nothing is."""
    if not text:
        return "Write at least one character."
    if len(text) > MAX_REVIEW_CHARACTERS:
        over = len(text) - MAX_REVIEW_CHARACTERS
        return (
            f"Shorten your review by {over:,} character{'s' if over > 1 else ''}: "
            f"at most {MAX_REVIEW_CHARACTERS:,} fit."
        )
    return None


def new_key() -> str:
    """A fresh value for a form's hidden key."""
    return secrets.token_hex(16)


def kept_key(fields: Mapping[str, str]) -> str:
    """The key that the form carried, or a fresh one for what is not a key."""
    key = fields.get(KEY_FIELD, "")
    return key if _KEY.fullmatch(key) else new_key()


def idempotency_key(key: str, text: str) -> str:
    """The same form with the same text is the same review; gone back to and changed, another."""
    return sha256(f"{key}\0{text}".encode("utf-8", "replace")).hexdigest()[:32]
