import importlib
import subprocess
import sys

import click
import pytest

from serinus.cli import main
from serinus.errors import ChartError, MissingDependencyError


def test_help_lists_every_command_and_imports_none():
    text = (
        "import sys; from serinus.cli.main import run; code = run(['--help']); "
        "print(sorted(m for m in sys.modules if m.startswith(('serinus.', 'rich', 'helm')))); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    for name in main.COMMANDS:
        assert f"\n  {name} " in done.stdout
    assert done.stdout.splitlines()[-1] == "['serinus.cli', 'serinus.cli.main', 'serinus.errors']"


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_is_there_and_explains_itself(name, capsys):
    module, _, attribute = main.COMMANDS[name][0].partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)
    assert main.run([name, "--help"]) == 0
    assert "Usage: serinus" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_usage(capsys):
    assert main.run(["nonsense"]) == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "shown"),
    [
        (ChartError("is broken", where="x.yaml", remedy="mend it"), 1, "x.yaml: is broken\n  mend"),
        (MissingDependencyError("no Envoy"), 3, "serinus: no Envoy"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.exceptions.Exit(4), 4, ""),
    ],
)
def test_an_error_of_ours_is_a_message_and_its_exit_code(monkeypatch, capsys, raised, code, shown):
    @click.command()
    def up():
        raise raised

    monkeypatch.setattr("serinus.cli.run.up", up)
    assert main.run(["up"]) == code
    told = capsys.readouterr().err
    assert shown in told
    assert "Traceback" not in told


def test_a_bug_shows_its_traceback(monkeypatch):
    @click.command()
    def up():
        raise ZeroDivisionError

    monkeypatch.setattr("serinus.cli.run.up", up)
    with pytest.raises(ZeroDivisionError):
        main.run(["up"])


def test_what_needs_a_running_system_says_how_to_start_one(tmp_path, capsys):
    for words in (["status"], ["rollout", "show"], ["rollout", "set", "--canary", "5"]):
        assert main.run([*words, "--state", str(tmp_path / "none")]) == 1
        assert "`serinus up` starts the system" in capsys.readouterr().err


def test_down_of_nothing_is_no_error(tmp_path, capsys):
    assert main.run(["down", "--state", str(tmp_path / "none")]) == 0
    assert "nothing was running" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()
