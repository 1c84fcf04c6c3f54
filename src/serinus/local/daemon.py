"""The background process of a run: `python -m serinus.local.daemon STATE [READY_FD]`.

Enters: the state directory, requests on its control socket. Leaves: a `Supervisor` at work, until a
stop request, SIGTERM or SIGINT. Started by `serinus.local.session`; with READY_FD it goes into the
background and tells there that its socket listens. It holds `supervisor.lock`, so there is one per
directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from serinus.errors import SerinusError
from serinus.local import envoy, monitoring
from serinus.local.control import LIMIT, SOCKET, Apply, Failure, Reply, Request, Stop, Watch
from serinus.local.plan import encode
from serinus.local.process import RealMachine
from serinus.local.supervisor import Supervisor
from serinus.local.workspace import Recorded, Workspace

LOG_BYTES: Final = 10 * 1024 * 1024
"""A log longer than this is copied to `<name>.log.1` and begins anew."""
HOUSEKEEPING: Final = 5.0
"""Seconds between looks at the logs and at the state directory itself."""

_LOG = logging.getLogger(__name__)


class Server:
    """The control socket in front of a supervisor."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.stopping = asyncio.Event()
        self.supervisor = Supervisor(
            workspace, RealMachine(), envoy.Files(workspace), self._changed
        )
        self._targets = monitoring.Targets(workspace)
        self._bell = asyncio.Event()
        self._started: dict[int, float] = {}

    async def run(self, ready: int | None) -> None:
        """Serve until asked to stop, then end everything."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)  # noqa: PTH108
        server = await asyncio.start_unix_server(self._serve, SOCKET, limit=LIMIT)
        if ready is not None:
            os.write(ready, b"ready")
            os.close(ready)
        housekeeping = asyncio.create_task(self._keep_house())
        async with server:
            await self.stopping.wait()
            housekeeping.cancel()
            await self.supervisor.stop()
            if self.workspace.exists:
                self.workspace.record([])
        _LOG.info("stopped")

    def _changed(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()
        self.workspace.record(
            [
                Recorded(row.name, row.pid, self._created(row.pid))
                for row in self.supervisor.rows()
                if row.pid is not None
            ]
        )
        self._scrape()

    def _scrape(self) -> None:
        """Tell Prometheus which pods there are; a failure must not stop what serves visitors."""
        if self.supervisor.plan is None:
            return
        try:
            self._targets.publish(self.supervisor.plan, self.supervisor.rows())
        except Exception:
            _LOG.exception("Prometheus's targets could not be written")

    def _created(self, pid: int) -> float:
        import psutil

        if pid not in self._started:
            try:
                self._started[pid] = psutil.Process(pid).create_time()
            except psutil.Error:
                return 0.0
        return self._started[pid]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line:
                await self._answer(msgspec.json.decode(line, type=Request), writer)
        except SerinusError as error:
            await _send(writer, Reply(error=Failure(error.what, error.where, error.remedy)))
        except msgspec.MsgspecError as error:
            failure = Failure(
                f"the supervisor does not understand this command: {error}",
                remedy="another version of Serinus started it: `serinus down`, then `serinus up`",
            )
            await _send(writer, Reply(error=failure))
        except (ConnectionError, asyncio.CancelledError):
            pass  # the command went away; what it asked for goes on
        except Exception as error:
            _LOG.exception("a request failed")
            log = self.workspace.path("logs", "supervisor.log")
            failure = Failure(f"the supervisor failed: {error!r}", remedy=f"its log: {log}")
            await _send(writer, Reply(error=failure))
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if isinstance(request, Watch) and not request.follow:
            await _send(writer, Reply(rows=self.supervisor.rows(), done=True))
            return
        if isinstance(request, Watch):
            await self._tell(writer, asyncio.create_task(self.stopping.wait()))
        elif isinstance(request, Stop):
            self.stopping.set()
            await self._tell(writer, asyncio.create_task(self._all_stopped()))
        else:
            await self._tell(writer, asyncio.create_task(self._apply(request)))
        await _send(writer, Reply(rows=self.supervisor.rows(), done=True))

    async def _apply(self, request: Apply) -> None:
        def keep() -> None:
            for name, text in request.files.items():
                self.workspace.write(name, text, 0o600)
            self.workspace.write("rendered.yaml", request.plan.manifest, 0o600)
            self.workspace.write("plan.json", encode(request.plan), 0o600)

        await self.supervisor.apply(
            request.plan, base=request.base, in_force=keep, wait_all=request.wait_all
        )

    async def _all_stopped(self) -> None:
        while any(row.pid is not None for row in self.supervisor.rows()):
            bell = self._bell
            await bell.wait()

    async def _tell(self, writer: asyncio.StreamWriter, work: asyncio.Task[object]) -> None:
        """Send rows at each change until the work is done, then raise what it raised."""
        connected = True
        while True:
            bell = asyncio.create_task(self._bell.wait())
            if connected:
                try:
                    await _send(writer, Reply(rows=self.supervisor.rows()))
                except ConnectionError:
                    connected = False
            await asyncio.wait([work, bell], return_when=asyncio.FIRST_COMPLETED)
            bell.cancel()
            if work.done():
                await work
                return

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            if not self.workspace.path("settings.json").exists():
                _LOG.error("the state directory was removed, so everything stops")
                self.stopping.set()
                return
            for path in self.workspace.path("logs").glob("*.log"):
                if path.stat().st_size > LOG_BYTES:
                    cut(path)


def cut(path: Path) -> None:
    """Copy a log to `<name>.1` and empty it; writers append, so they go on at its new end."""
    path.with_name(path.name + ".1").write_bytes(path.read_bytes())
    os.truncate(path, 0)


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(msgspec.json.encode(reply) + b"\n")
    await writer.drain()


def main() -> int:
    """Run the daemon; the exit code is 1 when another one holds the directory."""
    workspace = Workspace(Path(sys.argv[1]))
    ready = int(sys.argv[2]) if len(sys.argv) > 2 else None
    if ready is not None and os.fork():
        # The command that started us need not outlive us to take our exit code.
        os._exit(0)
    os.umask(0o077)
    os.chdir(workspace.root)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with Path("supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _LOG.error("another supervisor holds %s", workspace.root)
            return 1
        _LOG.info("supervising %s as process %d", workspace.root, os.getpid())
        workspace.write("supervisor.pid", f"{os.getpid()}\n")
        asyncio.run(Server(workspace).run(ready))
    return 0


if __name__ == "__main__":
    sys.exit(main())
