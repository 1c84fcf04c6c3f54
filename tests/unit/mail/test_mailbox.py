"""The mailbox keeps what came, in order."""

from __future__ import annotations

import mailbox
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serinus.errors import UsageError
from serinus.mail.mailbox import Mailbox

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
MESSAGE = (
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\nFrom: a@example.org\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/alternative; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain; charset=UTF-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nna=C3=AFve\r\n--x--\r\n"
)


def test_a_message_is_read_as_it_was_sent(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    box.deliver(MESSAGE, "a@example.org", ["b@example.org", "c@example.org"], NOON)
    (letter,) = box.letters()
    assert letter.number == 1
    assert letter.received_at == NOON
    assert letter.sender == "a@example.org"
    assert letter.recipients == "b@example.org, c@example.org"
    assert letter.subject == "café"
    assert letter.text.strip() == "naïve"


def test_messages_are_numbered_by_their_time(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    for late in (3, 1, 2):
        box.deliver(
            f"Subject: {late}\r\n\r\n{late}\r\n".encode(),
            "a",
            ["b"],
            NOON + timedelta(seconds=late),
        )
    assert [(letter.number, letter.subject) for letter in box.letters()] == [
        (1, "1"),
        (2, "2"),
        (3, "3"),
    ]
    assert box.letter(3).text.strip() == "3"


def test_an_empty_mailbox_and_an_unknown_number(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    assert box.letters() == []
    with pytest.raises(UsageError, match="there is no message 1"):
        box.letter(1)


def test_a_sender_cannot_add_headers(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    box.deliver(b"Subject: real\r\n\r\nx\r\n", "a\r\nSubject: forged", ["b"], NOON)
    assert box.letters()[0].subject == "real"


def test_a_damaged_message_hides_no_other(tmp_path: Path) -> None:
    box = Mailbox(tmp_path / "mail")
    box.deliver(MESSAGE, "a", ["b"], NOON)
    (tmp_path / "mail" / "new" / "1.damaged").write_bytes(b"\xff\xfe no header at all")
    assert len(box.letters()) == 2


@pytest.mark.parametrize("made", [(), ("tmp",), ("tmp", "new")])
def test_a_mailbox_half_made_is_empty_and_takes_a_message(
    tmp_path: Path, made: tuple[str, ...]
) -> None:
    (tmp_path / "mail").mkdir()
    for name in made:
        (tmp_path / "mail" / name).mkdir()
    box = Mailbox(tmp_path / "mail")
    assert box.letters() == []
    box.deliver(MESSAGE, "a", ["b"], NOON)
    assert len(box.letters()) == 1


def test_first_messages_that_come_at_once_are_kept_while_one_reads(tmp_path: Path) -> None:
    message = b"Subject: x\r\n\r\nx\r\n"
    for attempt in range(20):
        box = Mailbox(tmp_path / str(attempt) / "mail")
        with ThreadPoolExecutor(8) as pool:
            sent = [
                pool.submit(box.deliver, message, str(number), ["b"], NOON) for number in range(8)
            ]
            while not all(delivery.done() for delivery in sent):
                box.letters()
        assert [delivery.exception() for delivery in sent] == [None] * 8
        assert {letter.sender for letter in box.letters()} == set("01234567")


def test_a_message_that_goes_while_one_reads_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Mailbox(tmp_path / "mail")
    box.deliver(b"Subject: kept\r\n\r\nx\r\n", "a", ["b"], NOON)
    real = mailbox.Maildir.keys
    monkeypatch.setattr(mailbox.Maildir, "keys", lambda self: [*real(self), "gone"])
    assert [letter.subject for letter in box.letters()] == ["kept"]
