import pytest

from serinus.cli import main
from serinus.cli.logs import Tail, select
from serinus.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in ("app-frontend-stable", "app-frontend-canary", "app-service-stable", "envoy"):
        (folder / f"{name}.log").write_text(f"{name} one\n{name} two\n")
    return folder


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (None, ["app-frontend-canary", "app-frontend-stable", "app-service-stable", "envoy"]),
        ("app-frontend", ["app-frontend-canary", "app-frontend-stable"]),
        ("app-frontend/canary", ["app-frontend-canary"]),
        ("envoy", ["envoy"]),
    ],
)
def test_a_selection_names_an_app_a_track_or_a_program(folder, selection, names):
    assert [path.stem for path in select(folder, selection)] == names


def test_an_unknown_selection_lists_what_there_is(folder):
    with pytest.raises(UsageError, match="app-frontend-canary, app-frontend-stable"):
        select(folder, "nobody")


def test_following_gives_whole_lines_and_survives_a_cut(tmp_path):
    path = tmp_path / "x.log"
    path.write_text("one\ntwo\nthree\n")
    tail = Tail(path, "x")
    assert tail.last(2) == ["two", "three"]
    assert tail.more() == []
    with path.open("a") as log:
        log.write("four\nfi")
        log.flush()
        assert tail.more() == ["four"]
        log.write("ve\n")
        log.flush()
        assert tail.more() == ["five"]
    path.write_text("new\n")
    assert tail.more() == ["new"]


def test_several_logs_name_their_source(folder, capsys):
    assert main.run(["logs", "app-frontend", "-n", "1", "--state", str(folder.parent)]) == 0
    assert capsys.readouterr().out == (
        "app-frontend-canary | app-frontend-canary two\n"
        "app-frontend-stable | app-frontend-stable two\n"
    )
    assert main.run(["logs", "envoy", "-n", "1", "--state", str(folder.parent)]) == 0
    assert capsys.readouterr().out == "envoy two\n"
