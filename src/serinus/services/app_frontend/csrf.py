"""Protects each form against being sent by another site in a visitor's name.

Enters: a request's headers, the visitor's id, a token. Leaves: tokens and verdicts. Stateless, so
any pod of either track accepts what another one issued. Used by `pages` and by the POST routes.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_NONCE_CHARACTERS: Final = 16
_MAC_CHARACTERS: Final = 43


class Csrf:
    """Issues and checks tokens under `key`, SESSION_KEY."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def token(self, user: str) -> str:
        """A token for the visitor `user`; each is different, so that compression tells nothing."""
        nonce = secrets.token_hex(_NONCE_CHARACTERS // 2)
        return nonce + self._mac(nonce, user)

    def accepts(self, token: str, user: str) -> bool:
        """Whether `token` was issued for `user`, compared in constant time."""
        nonce, mac = token[:_NONCE_CHARACTERS], token[_NONCE_CHARACTERS:]
        return hmac.compare_digest(mac.encode(), self._mac(nonce, user).encode())

    def _mac(self, nonce: str, user: str) -> str:
        message = f"csrf\0{nonce}\0{user}".encode("utf-8", "replace")
        return hmac.new(self._key, message, sha256).hexdigest()[:_MAC_CHARACTERS]


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that this site's own page sent the request.

    Clients that say nothing pass: the token decides alone. `sec-fetch-site` comes first because a
    proxy may change the Host that `origin` is compared with.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
