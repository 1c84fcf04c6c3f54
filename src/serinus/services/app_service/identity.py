"""Turns visitors into units and reviews into tokens, with one secret key.

Enters: the id from `serinus-user`, ids of reviews, bearer tokens, idempotency keys. Leaves: 16-byte
digests for the store. Nothing that enters can be read back from what leaves. Used by the routes.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from hashlib import sha256
from typing import Final

_USER = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")

UNIT_BYTES: Final = 16


class Identity:
    """Keyed digests; `key` is UNIT_KEY. The same key must go with the same event store."""

    def __init__(self, key: str) -> None:
        self._keyed = hmac.new(key.encode(), digestmod=sha256)

    def _mac(self, message: bytes) -> bytes:
        # A copy of the keyed state saves two of the four compressions of a fresh HMAC.
        mac = self._keyed.copy()
        mac.update(message)
        return mac.digest()

    @staticmethod
    def is_user(value: str) -> bool:
        """Whether `value` is a visitor's id: 32 lower-case hexadecimal digits."""
        return _USER.fullmatch(value) is not None

    def unit(self, user: str) -> bytes:
        """The unit of a visitor: HMAC-SHA-256 of their id, its first 16 bytes."""
        return self._mac(user.encode())[:UNIT_BYTES]

    def anonymous_unit(self, idempotency_key: str | None) -> bytes:
        """The unit of a review without visitor: its own, but the same for a retried submission."""
        if idempotency_key is None:
            return secrets.token_bytes(UNIT_BYTES)
        return self._mac(b"anonymous\0" + idempotency_key.encode())[:UNIT_BYTES]

    def digest(self, purpose: str, text: str) -> bytes:
        """A 16-byte digest that only compares: `purpose` keeps different uses apart."""
        return self._mac(purpose.encode() + b"\0" + text.encode())[:16]

    def token(self, review_id: str) -> str:
        """The feedback token of a review: `<review id>.<43 characters>`, usable as a bearer."""
        mac = self._mac(b"feedback-token\0" + review_id.encode())
        return f"{review_id}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def review_of(self, token: str) -> str | None:
        """The id of the review that `token` opens, `None` for a token we did not make."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        return parts[1] if hmac.compare_digest(self.token(parts[1]), token) else None
