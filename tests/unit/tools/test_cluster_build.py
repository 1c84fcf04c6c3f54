"""What the test cluster says before it builds, and what it builds again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster import support

ROOT = Path(__file__).parents[3]


def test_all_that_the_machine_lacks_is_said_at_once(part, tmp_path, monkeypatch):
    machine = part("machine")
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    release = {"VERSION_CODENAME": "trixie", "PRETTY_NAME": "Debian 13"}
    monkeypatch.setattr(machine.platform, "freedesktop_os_release", lambda: release)
    with pytest.raises(part("shell").ClusterError) as caught:
        machine.check()
    said = str(caught.value)
    assert len(said.splitlines()) == 5
    for words in ("root is needed", "riscv64", "this is Debian 13", "no `go` on the PATH"):
        assert words in said
    release["VERSION_CODENAME"] = "bookworm"
    with pytest.raises(part("shell").ClusterError, match="there is no apt-get"):
        machine.check()


@pytest.mark.parametrize(
    ("says", "fits"),
    [
        ("echo go version go1.26.8 linux/amd64", True),
        ("echo go version go1.27 linux/arm64", True),
        ("echo go version go1.21.3 linux/amd64", False),
        ("echo 'go.mod requires go >= 1.26.0 (running go 1.24)' >&2; exit 1", False),
    ],
)
def test_an_old_go_is_refused(part, program, says, fits):
    program("go", says)
    assert (part("machine")._go() == "") == fits


def test_sources_are_fetched_again_where_go_has_lost_them(part, program, tmp_path):
    programs = part("programs")
    answer = json.dumps({"Dir": str(tmp_path)})
    program("go", f"[ $1 = list ] || echo '{answer}'")
    assert programs.module_directory("istio", "istio.io/istio") == tmp_path
    program("go", "[ $1 = list ] && exit; echo no network >&2; exit 1")
    with pytest.raises(part("shell").ClusterError, match=r"(?s)no network.*go mod download"):
        programs.module_directory("istio", "istio.io/istio")


def test_an_image_wants_a_base_and_is_whole_or_not_there(part, program):
    images, error = part("images"), part("shell").ClusterError
    program("buildah", "exit 0")
    with pytest.raises(error, match="`make cluster` first"):
        images.from_dockerfile("x:1", ".", [])
    calls = images.HOME / "calls"
    (images.IMAGES / ".python").write_text("one")
    push = "[ $7 = push ] || exit 0; echo content > $(echo $9 | cut -d: -f2)"
    program("buildah", f"echo $* >> {calls}; {push}; exit 1")
    with pytest.raises(error):
        images.from_dockerfile("x:1", ".", [])
    assert not list(images.all_archives())
    program("buildah", f"echo $* >> {calls}; {push}")
    for stamp in ("one", "one", "two"):
        (images.IMAGES / ".python").write_text(stamp)
        images.from_dockerfile("x:1", ".", [])
    assert [path.name for path in images.all_archives()] == ["serinus.test_x_1.tar"]
    assert images.all_archives()[0].read_text() == "content\n"
    # Where the base is another one, it is pulled again.
    assert calls.read_text().count(" pull ") == 2


def test_the_tests_own_images_are_built_again_when_their_files_change(tmp_path, monkeypatch):
    own, home = tmp_path / "tests/cluster/images", tmp_path / "home"
    shutil.copytree(ROOT / "tests/cluster/images", own)
    (tmp_path / "src/serinus/mail").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "mail/server.py"):
        (tmp_path / "src/serinus" / name).write_text("1")
    for folder in ("built", "images"):
        (home / folder).mkdir(parents=True)
    (home / "images/.python").write_text("1")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f"#!/bin/sh\necho $3\ntouch {home}/built/serinus.test_$(echo $3 | tr : _).tar\n"
    )
    python.chmod(0o755)
    monkeypatch.setenv("SERINUS_CLUSTER_HOME", str(home))

    def built():
        done = subprocess.run([own / "build"], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert built() == {"mail:dev", "postgresql:15"}
    assert built() == set()
    (tmp_path / "src/serinus/mail/server.py").write_text("2")
    assert built() == {"mail:dev"}
    (own / "postgresql/entrypoint").write_text("2")
    assert built() == {"postgresql:15"}
    (home / "images/.python").write_text("2")
    assert built() == {"mail:dev", "postgresql:15"}
    (home / "built/serinus.test_mail_dev.tar").unlink()
    assert built() == {"mail:dev"}


def test_the_command_names_what_is_wrong_instead_of_a_traceback(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = subprocess.run(
        [sys.executable, ROOT / "tools/cluster/rig", "status"],
        env={"SERINUS_CLUSTER_HOME": str(file / "home")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "not up; start it with `make cluster`" in done.stderr


def test_a_program_that_the_cluster_tests_lack_is_named():
    done = support.run_any("no-such-kubectl")
    assert (done.returncode, done.stderr) == (127, "there is no no-such-kubectl\n")
