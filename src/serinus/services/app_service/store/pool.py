"""Connections to PostgreSQL, and what their failures mean.

Enters: work, a coroutine function of one connection. Leaves: its result, or StoreUnavailableError.
Used by `postgres`.

A lost connection is tried once more on a new one, so all work must be repeatable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from serinus.errors import StoreError
from serinus.services.app_service.store.base import StoreUnavailableError

T = TypeVar("T")
Connection = AsyncConnection[tuple[Any, ...]]

# The driver says the second when it notices only on use that a connection is closed.
_LOST: Final = (psycopg.OperationalError, psycopg.InterfaceError)

_LOG = logging.getLogger("serinus.store")
MAX_CONNECTIONS: Final = 10
POOL_SECONDS: Final = 5.0
"""How long a request waits for a connection."""
OPEN_SECONDS: Final = 60.0
"""How long a start waits for the database."""


class Pool:
    """Up to ten connections; `url` is a libpq connection string, `where` what it names."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.where = f"{parts.hostname or 'local socket'}{parts.path}"
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url, min_size=1, max_size=MAX_CONNECTIONS, timeout=POOL_SECONDS, open=False,
            kwargs={"autocommit": True, "application_name": "serinus-app-service"},
            configure=_configure, num_workers=2,
        )  # fmt: skip

    async def open(self, prepare: Callable[[Connection], Awaitable[None]]) -> None:
        """Connect and `prepare` the database; raises StoreError when that can't be."""
        deadline = asyncio.get_running_loop().time() + OPEN_SECONDS
        await self._pool.open()
        try:
            while True:
                try:
                    async with self._pool.connection() as connection:
                        await prepare(connection)
                    return
                except (PoolTimeout, psycopg.OperationalError):
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                    _LOG.warning("waiting for the database", extra={"where": self.where})
        except (PoolTimeout, psycopg.OperationalError) as error:
            await self._pool.close()
            raise StoreError(
                f"the event store cannot be reached: {error}",
                where=self.where,
                remedy="Check DATABASE_URL and that PostgreSQL accepts connections.",
            ) from error
        except psycopg.Error as error:
            await self._pool.close()
            raise StoreError(
                f"the event store cannot be migrated: {error}",
                where=self.where,
                remedy="The user of DATABASE_URL must own its database.",
            ) from error
        except BaseException:
            await self._pool.close()
            raise

    async def close(self) -> None:
        """Let go of all connections."""
        await self._pool.close()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do `work` on a pooled connection; once more when the connection turns out dead."""
        for attempt in (1, 2):
            try:
                async with self._pool.connection() as connection:
                    try:
                        return await work(connection)
                    except (errors.DeadlockDetected, errors.SerializationFailure):
                        if attempt == 2:
                            raise
                    except _LOST:
                        if attempt == 2 or not connection.broken:
                            raise
                # Where one connection is dead, those beside it in the pool probably are too.
                await self._pool.check()
            except PoolTimeout as error:
                raise StoreUnavailableError("the event store is out of reach", 5) from error
            except errors.DiskFull as error:
                raise StoreUnavailableError("the event store is full", 30) from error
            except errors.ReadOnlySqlTransaction as error:
                raise StoreUnavailableError("the event store is read-only", 10) from error
            except _LOST as error:
                _LOG.warning("the database refuses", extra={"error": repr(error)})
                raise StoreUnavailableError("the event store doesn't answer", 5) from error
        raise AssertionError("unreachable")


async def _configure(connection: Connection) -> None:
    await connection.execute("SET timezone = 'UTC'")
    await connection.execute("SET statement_timeout = '15s'")
    await connection.execute("SET lock_timeout = '5s'")
