"""`serinus mail` shows what the server kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from serinus.cli.mail import mail
from serinus.errors import UsageError
from serinus.mail.mailbox import Mailbox


@pytest.fixture
def state(tmp_path: Path) -> Path:
    box = Mailbox(tmp_path / "mail")
    for number, subject in enumerate(("[FIRING] One (canary)", "[RESOLVED] One (canary)")):
        box.deliver(
            f"Subject: {subject}\r\n\r\ntext {number}\r\n".encode(),
            "serinus@example.org",
            ["you@example.org"],
            datetime(2026, 5, 4, 12, number, tzinfo=UTC),
        )
    return tmp_path


def run(*arguments: str) -> str:
    done = CliRunner().invoke(mail, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("before", [True, False], ids=["mail --state", "mail list --state"])
def test_the_list_is_oldest_first(state: Path, before: bool) -> None:
    option = ("--state", str(state))
    lines = run(*option, "list").splitlines() if before else run("list", *option).splitlines()
    assert lines[1].split() == ["1", "2026-05-04", "12:00:00", "[FIRING]", "One", "(canary)"]
    assert lines[2].split() == ["2", "2026-05-04", "12:01:00", "[RESOLVED]", "One", "(canary)"]


def test_without_a_command_it_lists(state: Path) -> None:
    assert "[FIRING] One (canary)" in run("--state", str(state))


def test_show_takes_a_number_or_the_newest(state: Path) -> None:
    assert "text 0" in run("show", "1", "--state", str(state))
    newest = run("show", "--state", str(state))
    assert "text 1" in newest
    assert "To: you@example.org" in newest


def test_programs_get_json(state: Path) -> None:
    first = json.loads(run("list", "--json", "--state", str(state)))[0]
    assert first["number"] == 1
    assert first["text"].strip() == "text 0"


def test_an_empty_mailbox(tmp_path: Path) -> None:
    assert run("--state", str(tmp_path)) == "no mail\n"
    with pytest.raises(UsageError, match="there is no message 1"):
        run("show", "--state", str(tmp_path))
