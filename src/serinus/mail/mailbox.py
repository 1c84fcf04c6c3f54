"""The mailbox: a Maildir, one file per message.

Enters: messages from the SMTP server. Leaves: `Letter` records, oldest first. Written by
`serinus.mail.server`, read by `serinus mail` and by tests; a mail program can open the same folder.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import mailbox
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from serinus.errors import UsageError

DIRECTORY: Final = "mail"
"""Below the state directory."""
RECEIVED_AT: Final = "X-Serinus-Received-At"
"""Added to each message: when the server took it, RFC 3339 in UTC."""
SENDER: Final = "X-Serinus-Sender"
RECIPIENTS: Final = "X-Serinus-Recipients"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message; `number` counts from 1, oldest first."""

    number: int
    received_at: datetime
    sender: str
    recipients: str
    subject: str
    text: str


class Mailbox:
    """A folder of messages."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def deliver(self, content: bytes, sender: str, recipients: list[str], now: datetime) -> None:
        """Keep a message; it is on disk when this returns. Raises `OSError` without room."""
        head = (
            f"{RECEIVED_AT}: {now.isoformat()}\r\n"
            f"{SENDER}: {_line(sender)}\r\n"
            f"{RECIPIENTS}: {_line(', '.join(recipients))}\r\n"
        )
        for folder in self._folders():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open().add(head.encode("utf-8", "replace") + content)

    def letters(self) -> list[Letter]:
        """All messages, oldest first; empty when none ever came, or the first is just coming."""
        if not all(folder.is_dir() for folder in self._folders()):
            return []
        box = self._open()
        read = []
        for key in box.keys():  # noqa: SIM118 -- a Maildir iterates over messages
            with contextlib.suppress(KeyError):  # a mail program removed it meanwhile
                read.append(_read(box.get_bytes(key)))
        read.sort(key=lambda item: item[0])
        return [Letter(number, *fields) for number, fields in enumerate(read, 1)]

    def letter(self, number: int) -> Letter:
        """One message; raises `UsageError` when there is none of that number."""
        found = self.letters()
        if not 1 <= number <= len(found):
            raise UsageError(
                f"there is no message {number}",
                where=str(self._path),
                remedy=f"there are {len(found)}: serinus mail list",
            )
        return found[number - 1]

    def _folders(self) -> tuple[Path, ...]:
        """The folders of a Maildir; two first messages may come at once, and a reader between."""
        return tuple(self._path / name for name in ("tmp", "new", "cur"))

    def _open(self) -> mailbox.Maildir:
        return mailbox.Maildir(self._path, create=False)


def _line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _read(content: bytes) -> tuple[datetime, str, str, str, str]:
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    text = str(body.get_content()) if body is not None else ""
    try:
        received_at = datetime.fromisoformat(str(message.get(RECEIVED_AT)))
    except ValueError:
        received_at = datetime.fromtimestamp(0, UTC)
    return (
        received_at,
        str(message.get(SENDER, message.get("from", ""))),
        str(message.get(RECIPIENTS, message.get("to", ""))),
        str(message.get("subject", "")),
        text,
    )
