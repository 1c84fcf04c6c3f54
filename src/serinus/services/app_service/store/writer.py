"""Writes to SQLite, many requests per commit.

Enters: jobs, functions of the connection. Leaves: their results, once the transaction that holds
them is on disk. Used by `sqlite`.

A commit costs one wait for the disk however many rows it holds, so everything that queued up
during one commit goes into the next. A job that fails takes back only its own work. Statements
run on the event loop, where a row costs some ten microseconds; what waits for the disk runs in a
thread. (All of it in a thread was measured too: half as much processor time again, for handing the
interpreter's lock to and fro at every statement.)
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from serinus.services.app_service.store.base import StoreUnavailableError

T = TypeVar("T")

LOCK_SECONDS: Final = 5.0
"""How long a transaction waits for another process that writes."""
MAX_BATCH: Final = 256
MAX_QUEUED: Final = 10_000
CHECKPOINT_CHANGES: Final = 2_000
"""Changed rows after which the log's contents are moved into the database."""

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
    """Owns the writing connection; `connect` makes it, in the thread that commits."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._jobs: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-commit")
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._synchronous = ""
        self._checkpointed = 0

    async def start(self) -> None:
        """Open the connection; raises what `connect` raises."""
        connection = await self._in_thread(self._connect)
        self._task = asyncio.get_running_loop().create_task(self._work(connection))

    async def stop(self) -> None:
        """Finish what is queued, then close the connection."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    @property
    def alive(self) -> bool:
        """Whether jobs are accepted."""
        return self._task is not None and not self._task.done() and not self._closing

    async def run(self, job: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run `job` in a transaction and return its result after the commit.

        Without `durable` the commit survives the death of the process but, should the machine
        lose power before the next durable one, not that.
        """
        result: T = await self._submit(job, durable, alone=False)
        return result

    async def run_alone(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job` in the thread, outside of any transaction, between two commits."""
        result: T = await self._submit(job, durable=True, alone=True)
        return result

    def _submit(
        self, run: Callable[[sqlite3.Connection], Any], durable: bool, alone: bool
    ) -> asyncio.Future[Any]:
        if not self.alive:
            raise StoreUnavailableError("the event store is closed", 5)
        if len(self._jobs) >= MAX_QUEUED:
            raise StoreUnavailableError("the event store can't keep up", 5)
        job = _Job(run, durable, asyncio.get_running_loop().create_future(), alone)
        self._jobs.append(job)
        self._wake.set()
        return job.future

    async def _work(self, connection: sqlite3.Connection) -> None:
        while self._jobs or not self._closing:
            if not self._jobs:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._gather()
            try:
                if batch[0].alone:
                    batch[0].result = await self._in_thread(batch[0].run, connection)
                else:
                    await self._transact(connection, batch)
            except Exception as error:
                _fail(connection, batch, error)
            _deliver(batch)
            if connection.total_changes - self._checkpointed > CHECKPOINT_CHANGES:
                self._checkpointed = connection.total_changes
                # A log that can't be moved now, because of a reader, is moved next time.
                with contextlib.suppress(sqlite3.Error):
                    await self._in_thread(checkpoint, connection)
        await self._in_thread(connection.close)

    def _gather(self) -> list[_Job]:
        """A job that runs alone, or what is queued up to the next such job."""
        batch = [self._jobs.popleft()]
        while (
            self._jobs and not batch[0].alone and not self._jobs[0].alone and len(batch) < MAX_BATCH
        ):
            batch.append(self._jobs.popleft())
        return batch

    async def _transact(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        durable = any(job.durable for job in batch)
        wanted = "FULL" if durable else "NORMAL"
        if wanted != self._synchronous:
            connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        await _begin(connection)
        if len(batch) == 1:
            batch[0].result = batch[0].run(connection)
        else:
            for job in batch:
                _run_apart(connection, job)
        if durable:
            await self._in_thread(connection.execute, "COMMIT")
        else:
            connection.execute("COMMIT")

    async def _in_thread(self, function: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *values)


def checkpoint(connection: sqlite3.Connection, mode: str = "PASSIVE") -> None:
    """Move the log's contents into the database; `TRUNCATE` also empties the log's file."""
    connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()


async def _begin(connection: sqlite3.Connection) -> None:
    # SQLite's own waiting would hold up the event loop.
    deadline = asyncio.get_running_loop().time() + LOCK_SECONDS
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.001)
        else:
            return


def _run_apart(connection: sqlite3.Connection, job: _Job) -> None:
    """Run one job of several, so that its failure leaves the others alone."""
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.run(connection)
    except Exception as error:
        # A full disk may have rolled back everything: then nobody's work is left.
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
        job.error = error
    connection.execute("RELEASE job")


def _fail(connection: sqlite3.Connection, batch: list[_Job], error: Exception) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
    for job in batch:
        job.error = job.error or error


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
