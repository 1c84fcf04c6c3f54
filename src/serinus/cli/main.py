"""The command `serinus`: finds a command's module only when that command is asked for.

Enters: the command line. Leaves: the exit code: 0, an error's own, 2 for wrong usage, 130 after
Ctrl-C. Errors of the tree in `serinus.errors` are printed as a message, everything else is a bug
and shows its traceback. `--help` must stay quick, so no module of the project is imported here.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "up": ("serinus.cli.run:up", "Start the whole system on this machine, or apply a change."),
    "down": ("serinus.cli.run:down", "Stop the system and everything it started."),
    "status": ("serinus.cli.run:status", "Show the processes of the running system."),
    "logs": ("serinus.cli.logs:logs", "Show the logs of one workload, or of all."),
    "deploy": ("serinus.cli.deploy:deploy", "Install or change the system in a cluster."),
    "render": ("serinus.cli.render:render", "Print the chart as it is rendered for this machine."),
    "diff": ("serinus.cli.render:diff", "Show what `serinus up` would change."),
    "rollout": ("serinus.cli.rollout:rollout", "Show or change the split between the tracks."),
    "mesh": ("serinus.cli.mesh:mesh", "Explain which rule decides a request."),
    "simulate": ("serinus.cli.simulate:simulate", "Send honest visitors through the gateway."),
    "model": ("serinus.cli.model:model", "Train, evaluate and publish models."),
    "mail": ("serinus.cli.mail:mail", "Read the alerts that were sent by email."),
}
"""Command name: module and attribute, and its line in the list."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="serinus", message="serinus %(version)s")
def cli() -> None:
    """Ship a machine-learning web application behind a controlled experiment."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    from serinus.errors import SerinusError

    try:
        result: Any = cli.main(args=argv, prog_name="serinus", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SerinusError as error:
        click.echo(f"serinus: {error}", err=True)
        return error.exit_code
    except click.Abort:
        click.echo("serinus: interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code


if __name__ == "__main__":
    main()
