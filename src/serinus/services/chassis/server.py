"""Starts one service, serves both its ports, and stops it without dropping a request.

Enters: a settings type and `build`, an async context manager that makes the ASGI application.
Leaves: the process's exit code: 0 after SIGTERM or SIGINT, 1 when it failed, 2 for a wrong
environment. Called by each service's `__main__` as `sys.exit(run(Settings, build))`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from serinus.errors import SerinusError
from serinus.services.chassis import health as health_room
from serinus.services.chassis import logging as json_logging
from serinus.services.chassis import settings as settings_room
from serinus.services.chassis.health import Health
from serinus.services.chassis.settings import SettingsT
from serinus.services.chassis.telemetry import ASGIApp, Telemetry

_LOG = logging.getLogger("serinus.server")


@dataclass(frozen=True, slots=True)
class Chassis(Generic[SettingsT]):
    """What `build` gets: the checked settings, the telemetry and the health of this process."""

    settings: SettingsT
    telemetry: Telemetry
    health: Health


Build = Callable[[Chassis[SettingsT]], AbstractAsyncContextManager[ASGIApp]]


def run(settings_type: type[SettingsT], build: Build[SettingsT]) -> int:
    """Run the service until a signal ends it; returns the exit code."""
    try:
        settings = settings_room.load(settings_type, os.environ)
        json_logging.setup(settings)
        # What is imported stays, and requests leave few cycles: looking for garbage as often as
        # Python does takes a twentieth of each request.
        gc.freeze()
        gc.set_threshold(10_000)
        uvloop.run(serve(settings, build))
    except SerinusError as error:
        print(f"{error}", file=sys.stderr)  # noqa: T201  # logging may not be set up yet
        return error.exit_code
    return 0


async def serve(
    settings: SettingsT, build: Build[SettingsT], stop: asyncio.Event | None = None
) -> None:
    """Serve both ports until `stop` is set, or SIGTERM or SIGINT arrives.

    The second port opens first, so that readiness can tell what the start still waits for; the
    first opens when `build` has finished. On a stop, readiness fails at once, no connection is
    accepted any more, and what is in flight gets `shutdown_seconds` to finish.
    """
    stop = stop or asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    health, telemetry = Health(), Telemetry(settings)

    def end() -> None:
        stop.set()
        # A start may be waiting for something that never comes, such as a model.
        if not health.started and task is not None:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    chassis = Chassis(settings, telemetry, health)
    inner = _Port(settings.host, settings.metrics_port, health_room.application(health, telemetry))
    await inner.start()
    try:
        async with build(chassis) as app:
            outer = _Port(settings.host, settings.http_port, telemetry.middleware(app))
            await outer.start()
            health.started = True
            _LOG.info(
                "serving",
                extra={
                    "address": f"{settings.host}:{settings.http_port}",
                    "metrics_port": settings.metrics_port,
                    "version": settings.version,
                },
            )
            await stop.wait()
            health.stopping = True
            _LOG.info("stopping", extra={"in_flight": telemetry.in_flight})
            await outer.stop(settings.shutdown_seconds)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        await inner.stop(1.0)
    _LOG.info("stopped")


class _Port:
    """One listening address served by an embedded granian in this process's event loop."""

    def __init__(self, host: str, port: int, app: ASGIApp) -> None:
        self._address = (host, port)
        self._server = Server(
            app, address=host, port=port, interface=Interfaces.ASGINL, websockets=False,
            log_enabled=False, backlog=1024,
        )  # fmt: skip
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen and serve; raises SerinusError when the address is taken."""
        host, port = self._address
        # granian reports a taken port from its own thread; asking first gives a message.
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise SerinusError(
                    f"cannot listen on {host}:{port}: {error.strerror}",
                    remedy="Free the port, or set SERINUS_HTTP_PORT or SERINUS_METRICS_PORT.",
                ) from error
        self._task = asyncio.get_running_loop().create_task(self._server.serve())
        # The worker starts to listen in a thread of its own and tells nobody: so ask.
        while not self._task.done():
            try:
                _, writer = await asyncio.open_connection(host or "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.002)
            else:
                writer.close()
                return
        self._task.result()

    async def stop(self, seconds: float) -> None:
        """Accept nothing more and wait up to `seconds` for requests in flight."""
        if self._task is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]
        try:
            await asyncio.wait_for(self._task, timeout=seconds)
        except TimeoutError:
            _LOG.warning("requests in flight were cut off", extra={"after_seconds": seconds})
