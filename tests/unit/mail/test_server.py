"""The SMTP server, spoken to by a real client."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serinus.mail.mailbox import Mailbox
from serinus.mail.server import MAX_BYTES, protocol

TEXT = "Subject: hello\r\nFrom: a@example.org\r\n\r\nworld\r\n.dot\r\n"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    box = Mailbox(tmp_path / "mail")
    server = await asyncio.get_running_loop().create_server(lambda: protocol(box), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[:2]
    server.close()
    await server.wait_closed()


def send(address: tuple[str, int], text: str) -> None:
    with smtplib.SMTP(*address, timeout=10) as client:
        client.sendmail("a@example.org", ["b@example.org"], text)


async def test_a_message_is_on_disk_when_it_is_accepted(
    address: tuple[str, int], tmp_path: Path
) -> None:
    await asyncio.to_thread(send, address, TEXT)
    (letter,) = Mailbox(tmp_path / "mail").letters()
    assert (letter.subject, letter.sender) == ("hello", "a@example.org")
    assert letter.text.splitlines() == ["world", ".dot"]


async def test_login_is_not_offered(address: tuple[str, int]) -> None:
    def offered() -> str:
        with smtplib.SMTP(*address, timeout=10) as client:
            client.ehlo()
            return client.esmtp_features.get("auth", "")

    assert "LOGIN" not in await asyncio.to_thread(offered)


async def test_a_huge_message_is_refused(address: tuple[str, int], tmp_path: Path) -> None:
    with pytest.raises(smtplib.SMTPException):
        await asyncio.to_thread(send, address, "Subject: x\r\n\r\n" + "y" * (MAX_BYTES + 1))
    assert Mailbox(tmp_path / "mail").letters() == []


async def test_without_room_the_sender_may_try_again(
    address: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Mailbox, "deliver", full)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await asyncio.to_thread(send, address, TEXT)
    assert refused.value.smtp_code == 452
    await asyncio.to_thread(send, address, TEXT)
    assert len(Mailbox(tmp_path / "mail").letters()) == 1
