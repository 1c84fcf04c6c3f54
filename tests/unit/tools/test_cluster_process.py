import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def process(part):
    return part("process")


def test_the_process_that_was_noted_runs_until_it_is_ended(process, rig):
    node = rig("node")
    process.remember("node", node.pid)
    assert process.running("node") == process.running_node() == node.pid
    # Nobody has waited for it: it is a zombie from now on, and counts as ended.
    process.end("node", seconds=10)
    assert Path(f"/proc/{node.pid}").exists()
    assert process.running("node") == 0
    assert not (process.HOME / "node.pid").exists()


def test_another_process_under_the_noted_number_is_left_alone(process, rig, tmp_path):
    home = process.HOME
    relay = rig("relay", "1")
    editor = tmp_path / "brigitte"
    editor.write_text("#!/bin/sh\necho\nread line\n")
    editor.chmod(0o755)
    with subprocess.Popen(
        [editor, "tools/cluster/rig", "node"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        for pid in (relay.pid, other.pid, os.getpid()):
            process.remember("node", pid)
            assert process.running("node") == 0
            process.end("node")
        assert relay.poll() is None
        assert other.poll() is None
        other.communicate(b"\n")
    # The same words, but not the same start: the number has returned.
    (home / "relay.pid").write_text(f"{relay.pid} 1")
    assert process.running("relay") == 0
    # What an older rig noted.
    (home / "relay.pid").write_text(str(relay.pid))
    assert process.running("relay") == relay.pid
    for content in ("", "x", "0", "-1"):
        (home / "relay.pid").write_text(content)
        assert process.running("relay") == 0


def test_one_that_does_not_end_is_named(process, rig, part, monkeypatch):
    node = rig("node")
    process.remember("node", node.pid)
    with monkeypatch.context() as patch:
        patch.setattr(process.os, "kill", lambda *_: None)
        error = part("shell").ClusterError
        with pytest.raises(error, match=f"process {node.pid}, the node, did not"):
            process.end("node", seconds=0.2)
