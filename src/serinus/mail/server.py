"""The SMTP server: takes every message and keeps it.

Enters: SMTP from Alertmanager. Leaves: messages in a `Mailbox`; nothing is ever sent on. Called by
`python -m serinus.mail`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from serinus.mail.mailbox import Mailbox

MAX_BYTES: Final = 1_000_000
_LOG = logging.getLogger(__name__)


class Keeper:
    """aiosmtpd's handler."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Keep the message; a sender that gets 452 tries again."""
        content = envelope.content
        data = content if isinstance(content, bytes) else (content or "").encode()
        sender, recipients = envelope.mail_from or "", [str(to) for to in envelope.rcpt_tos]
        try:
            await asyncio.to_thread(
                self._mailbox.deliver, data, sender, recipients, datetime.now(UTC)
            )
        except OSError as error:
            _LOG.error("a message could not be kept: %s", error)
            return "452 insufficient storage"
        _LOG.info("a message from %s to %s", sender, ", ".join(recipients))
        return "250 kept"


def protocol(mailbox: Mailbox) -> SMTP:
    """One connection's protocol.

    LOGIN is left out: Go's client, which is Alertmanager's, can't speak aiosmtpd's way of it.
    """
    options: dict[str, Any] = {
        "data_size_limit": MAX_BYTES,
        "enable_SMTPUTF8": True,
        "auth_exclude_mechanism": ["LOGIN"],
        "hostname": "localhost",
        "ident": "serinus",
    }
    return SMTP(Keeper(mailbox), **options)


async def serve(host: str, port: int, folder: Path, ready: asyncio.Event | None = None) -> None:
    """Listen until SIGTERM or SIGINT; raises `OSError` when the address is taken."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    mailbox = Mailbox(folder)
    server = await loop.create_server(lambda: protocol(mailbox), host, port)
    _LOG.info("listening on %s:%d, keeping mail in %s", host, port, folder)
    if ready is not None:
        ready.set()
    await stopping.wait()
    server.close()
