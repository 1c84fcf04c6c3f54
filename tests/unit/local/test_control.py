import asyncio
import socket
import threading

import msgspec
import pytest

from serinus.errors import LocalRunError
from serinus.local import control
from serinus.local.daemon import Server
from serinus.local.fleet import Row
from serinus.local.workspace import Workspace


@pytest.fixture
def space(tmp_path):
    # Far longer than a socket's path may be.
    space = Workspace(tmp_path / ("x" * 120))
    space.create()
    return space


@pytest.fixture
def serve(space, monkeypatch):
    """A supervisor that reads one line and answers with these."""
    threads = []

    def serve(*lines):
        monkeypatch.chdir(space.root)
        server = socket.socket(socket.AF_UNIX)
        server.bind(control.SOCKET)
        server.listen()
        asked = []

        def answer():
            with server, server.accept()[0] as connection, connection.makefile("rwb") as file:
                asked.append(file.readline())
                file.writelines(lines)

        thread = threading.Thread(target=answer)
        thread.start()
        threads.append(thread)
        return asked

    yield serve
    for thread in threads:
        thread.join()


def row(state):
    return Row("x", "pod", "x", "x", "stable", 1, state, 0, "127.0.0.9", "")


def line(**reply):
    return msgspec.json.encode(control.Reply(**reply)) + b"\n"


def test_rows_come_until_it_is_done(space, serve):
    asked = serve(line(rows=[row("starting")]), line(rows=[row("ready")]), line(done=True))
    states = [rows[0].state for rows in control.ask(space, control.Watch(follow=True))]
    assert states == ["starting", "ready"]
    assert asked == [b'{"type":"status","follow":true}\n']


def test_an_error_is_raised_here(space, serve):
    serve(line(error=control.Failure("did not get ready", "front/stable", "look at the log")))
    with pytest.raises(LocalRunError, match="front/stable: did not get ready\n  look at the log"):
        list(control.ask(space, control.Watch()))


def test_a_supervisor_that_goes_away_is_an_error_unless_it_was_to_stop(space, serve):
    serve(line(rows=[]))
    with pytest.raises(LocalRunError, match="ended before it answered"):
        list(control.ask(space, control.Watch()))


def test_going_away_is_what_a_stop_asks_for(space, serve):
    serve(line(rows=[]))
    assert list(control.ask(space, control.Stop())) == [[]]


def test_a_supervisor_that_hangs_is_told_of(space, monkeypatch):
    monkeypatch.chdir(space.root)
    monkeypatch.setattr(control, "STOP_SILENCE", 0.05)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(control.SOCKET)
        server.listen()
        with pytest.raises(LocalRunError, match="has said nothing"):
            list(control.ask(space, control.Stop()))


def test_nobody_there(space):
    with pytest.raises(LocalRunError, match="`serinus up` starts it"):
        list(control.ask(space, control.Watch()))


async def test_a_request_of_another_version_is_told(space, monkeypatch):
    monkeypatch.chdir(space.root)
    server = Server(space)
    running = asyncio.create_task(server.run(None))
    async with asyncio.timeout(10):
        while not space.path(control.SOCKET).exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(control.SOCKET)
        writer.write(b'{"type": "dance"}\n')
        answer = msgspec.json.decode(await reader.readline(), type=control.Reply)
        writer.close()
        server.stopping.set()
        await running
    assert "another version of Serinus" in answer.error.remedy
