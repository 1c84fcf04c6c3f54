import stat

import pytest

from serinus.errors import LocalRunError
from serinus.local.daemon import cut
from serinus.local.workspace import Recorded, Settings, Workspace, write


@pytest.fixture
def space(tmp_path):
    space = Workspace(tmp_path / "state")
    space.create()
    return space


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_are_their_owners(space):
    first = space.secrets()
    assert set(first) == {"sessionKey", "unitKey"}
    assert first["sessionKey"] != first["unitKey"]
    assert len(first["unitKey"]) == 64
    assert Workspace(space.root).secrets() == first
    assert mode(space.path("secrets.yaml")) == 0o600
    assert mode(space.root) == 0o700


def test_settings_come_back(space):
    settings = Settings(
        port=8081, block="127.20.1", outbound={"a>b": 15100}, values={"a": {"b": 1}}
    )
    space.save(settings)
    assert space.settings() == settings
    assert space.exists


def test_damaged_settings_are_named(space):
    space.path("settings.json").write_text("{")
    with pytest.raises(LocalRunError, match=r"settings\.json"):
        space.settings()


def test_the_record_comes_back_and_a_damaged_one_is_empty(space):
    space.record([Recorded("a", 1, 2.5)])
    assert space.recorded() == [Recorded("a", 1, 2.5)]
    space.path("processes.json").write_text("nonsense")
    assert space.recorded() == []


def test_a_write_replaces_the_file_whole_and_leaves_equal_content_alone(tmp_path):
    path = tmp_path / "new" / "x"
    assert write(path, "one", 0o600)
    before = path.stat()
    assert not write(path, "one")
    assert path.stat().st_ino == before.st_ino
    assert write(path, "two")
    assert path.stat().st_ino != before.st_ino
    assert [item.name for item in path.parent.iterdir()] == ["x"]


def test_supervised_follows_the_lock(space):
    import fcntl

    assert not space.supervised()
    with space.path("supervisor.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert space.supervised()
    assert not space.supervised()


def test_a_directory_that_cannot_be_made_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalRunError, match="--state"):
        Workspace(tmp_path / "file" / "state").create()


def test_a_cut_log_goes_on_at_its_new_end(tmp_path):
    path = tmp_path / "x.log"
    with path.open("a") as log:
        log.write("one\n")
        log.flush()
        cut(path)
        log.write("two\n")
    assert path.read_text() == "two\n"
    assert (tmp_path / "x.log.1").read_text() == "one\n"
