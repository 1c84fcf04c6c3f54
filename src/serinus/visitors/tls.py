"""Whether the gateway can be visited over HTTPS, asked once, before a crowd comes.

Enters: an address, the name asked for, whom to trust. Leaves: nothing, or an error that tells what
to do. Called by `crowd`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Final
from urllib.parse import urlsplit

from serinus.errors import GatewayError

_SECONDS: Final = 10.0


def server_name(host: str) -> str | None:
    """The name in the handshake and on the certificate: a Host header without its port."""
    return urlsplit(f"//{host}").hostname


async def handshake(gateway: tuple[str, int], host: str, tls: ssl.SSLContext) -> None:
    """Shake hands and part; raises `GatewayError` for what every visitor would meet.

    Nobody there is left to the visitors, who meet that over plain HTTP too.
    """
    where = f"https://{host} at {gateway[0]}:{gateway[1]}"
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(
                *gateway, ssl=tls, server_hostname=server_name(host)
            )
    except ssl.SSLCertVerificationError as error:
        raise GatewayError(
            f"the certificate is not trusted: {error.verify_message}",
            where=where,
            remedy="--cacert FILE names the certificate to trust, --insecure trusts any",
        ) from error
    except ssl.SSLError as error:
        raise GatewayError(
            f"the TLS handshake failed: {error.reason or error}",
            where=where,
            remedy="--gateway HOST:PORT names the port of HTTPS; http://HOST:PORT goes without",
        ) from error
    except OSError:
        return
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
