"""`serinus mail`: the alerts that were mailed on this machine.

Enters: options. Leaves: a table of messages, or one message. Reads the mailbox below the state
directory, so it works after an end too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from serinus.cli.options import STATE

if TYPE_CHECKING:
    from serinus.mail.mailbox import Mailbox


@click.group(invoke_without_command=True)
@STATE
@click.pass_context
def mail(context: click.Context, state: Path | None) -> None:
    """Read the alerts that were sent by email; lists them when no command is given."""
    context.obj = state
    if context.invoked_subcommand is None:
        context.invoke(listed, state=state, as_json=False)


@mail.command("list")
@STATE
@click.option("--json", "as_json", is_flag=True, help="Print JSON, texts included.")
@click.pass_context
def listed(context: click.Context, state: Path | None, as_json: bool) -> None:
    """List the messages, oldest first."""
    from rich.console import Console
    from rich.table import Table

    letters = mailbox(state or context.obj).letters()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "number": letter.number,
                        "received_at": letter.received_at.isoformat(),
                        "from": letter.sender,
                        "to": letter.recipients,
                        "subject": letter.subject,
                        "text": letter.text,
                    }
                    for letter in letters
                ]
            )
        )
        return
    if not letters:
        click.echo("no mail")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("no.", justify="right")
    for name in ("received (UTC)", "subject"):
        table.add_column(name, no_wrap=name == "received (UTC)")
    for letter in letters:
        table.add_row(
            str(letter.number),
            f"{letter.received_at:%Y-%m-%d %H:%M:%S}",
            letter.subject.replace("[", r"\["),
        )
    Console().print(table, highlight=False)


@mail.command()
@STATE
@click.argument("number", type=int, required=False)
@click.pass_context
def show(context: click.Context, state: Path | None, number: int | None) -> None:
    """Show one message, or the newest."""
    box = mailbox(state or context.obj)
    letter = box.letter(number if number is not None else max(1, len(box.letters())))
    click.echo(f"From: {letter.sender}\nTo: {letter.recipients}\nSubject: {letter.subject}")
    click.echo(f"Received: {letter.received_at:%Y-%m-%d %H:%M:%S} UTC\n")
    click.echo(letter.text.rstrip())


def mailbox(state: Path | None) -> Mailbox:
    """The mailbox of a state directory."""
    from serinus.local import session
    from serinus.mail.mailbox import DIRECTORY, Mailbox

    return Mailbox(session.workspace(state).path(DIRECTORY))
