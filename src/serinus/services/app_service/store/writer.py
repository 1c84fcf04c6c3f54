"""One thread that writes to SQLite, many requests per commit.

Enters: jobs, functions of the connection, from the event loop. Leaves: their results, once the
transaction that holds them is on disk. Used by `sqlite`.

A commit costs one wait for the disk however many rows it holds, so everything that queued up
during one commit goes into the next. A job that fails takes back only its own work.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from serinus.services.app_service.store.base import StoreUnavailableError

T = TypeVar("T")

LOCK_SECONDS: Final = 5.0
"""How long a commit waits for another process that writes."""
MAX_BATCH: Final = 256
MAX_QUEUED: Final = 10_000

_RETRY_AFTER: Final = {
    sqlite3.SQLITE_BUSY: ("locked by another process", 1),
    sqlite3.SQLITE_LOCKED: ("locked", 1),
    sqlite3.SQLITE_FULL: ("full", 30),
    sqlite3.SQLITE_IOERR: ("not readable or writable", 10),
    sqlite3.SQLITE_READONLY: ("read-only", 30),
    sqlite3.SQLITE_CANTOPEN: ("not to be opened", 10),
    sqlite3.SQLITE_CORRUPT: ("damaged", 60),
    sqlite3.SQLITE_NOTADB: ("damaged", 60),
    sqlite3.SQLITE_NOMEM: ("out of memory", 5),
}


def unavailable(error: sqlite3.Error) -> StoreUnavailableError | None:
    """`error` as a passing refusal of the store, `None` when it is a mistake of ours."""
    code = getattr(error, "sqlite_errorcode", None)
    known = None if code is None else _RETRY_AFTER.get(code & 0xFF)
    return StoreUnavailableError(f"the event store is {known[0]}", known[1]) if known else None


@dataclass(slots=True)
class _Job:
    run: Callable[[sqlite3.Connection], Any]
    durable: bool
    future: asyncio.Future[Any]
    alone: bool = False
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection, which `connect` opens in the writer's own thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the connection; raises what `connect` raises."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._work, args=(opened,), name="store-writer", daemon=True
        )
        self._thread.start()
        await opened

    async def stop(self) -> None:
        """Finish what is queued, then close the connection."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    @property
    def alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    async def run(self, job: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run `job` in a transaction and return its result after the commit.

        Without `durable` the commit survives the death of the process but, should the machine
        lose power before the next durable one, not that.
        """
        result: T = await self._submit(job, durable, alone=False)
        return result

    async def run_alone(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job` outside of any transaction, between two commits."""
        result: T = await self._submit(job, durable=True, alone=True)
        return result

    async def _submit(
        self, run: Callable[[sqlite3.Connection], Any], durable: bool, alone: bool
    ) -> Any:
        if not self.alive:
            raise StoreUnavailableError("the event store is closed", 5)
        if self._queue.qsize() >= MAX_QUEUED:
            raise StoreUnavailableError("the event store can't keep up", 5)
        assert self._loop is not None  # noqa: S101  # alive implies started
        job = _Job(run, durable, self._loop.create_future(), alone)
        self._queue.put(job)
        return await job.future

    def _work(self, opened: asyncio.Future[None]) -> None:
        assert self._loop is not None  # noqa: S101  # set by start
        try:
            connection = self._connect()
        except BaseException as error:  # raised again where it is awaited
            self._loop.call_soon_threadsafe(opened.set_exception, error)
            return
        self._loop.call_soon_threadsafe(opened.set_result, None)
        synchronous = ""
        while (first := self._queue.get()) is not None:
            batch, last = self._gather(first)
            wanted = "FULL" if any(job.durable for job in batch) else "NORMAL"
            try:
                if wanted != synchronous:
                    connection.execute(f"PRAGMA synchronous = {wanted}")
                    synchronous = wanted
                _transact(connection, batch)
            except BaseException as error:  # every waiting request gets it
                _fail(connection, batch, error)
            if last is not None:
                _run_alone(connection, last)
                batch.append(last)
            # A closed loop means that nobody waits any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_deliver, batch)
        connection.close()

    def _gather(self, first: _Job) -> tuple[list[_Job], _Job | None]:
        """What is queued right now, up to the first job that runs alone."""
        batch: list[_Job] = []
        job: _Job | None = first
        while job is not None:
            if job.alone:
                return batch, job
            batch.append(job)
            if len(batch) == MAX_BATCH:
                break
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                # The sign to stop goes back to the end; nothing follows it.
                self._queue.put(None)
        return batch, None


def begin(connection: sqlite3.Connection) -> None:
    """Take the write lock. SQLite's own waiting sleeps ever longer; this asks each millisecond."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.001)
        else:
            return


def _transact(connection: sqlite3.Connection, batch: list[_Job]) -> None:
    if not batch:
        return
    begin(connection)
    for job in batch:
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.run(connection)
        except BaseException as error:
            # A full disk may have rolled back everything already: then nobody's work is left.
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO job")
            job.error = error
        connection.execute("RELEASE job")
    connection.execute("COMMIT")


def _fail(connection: sqlite3.Connection, batch: list[_Job], error: BaseException) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
    for job in batch:
        job.error = job.error or error


def _run_alone(connection: sqlite3.Connection, job: _Job) -> None:
    try:
        job.result = job.run(connection)
    except BaseException as error:  # raised again where it is awaited
        job.error = error


def _deliver(batch: list[_Job]) -> None:
    for job in batch:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        elif isinstance(job.error, sqlite3.Error):
            job.future.set_exception(unavailable(job.error) or job.error)
        else:
            job.future.set_exception(job.error)
