"""Lets the outside's loopback reach the node: listens outside, connects as the first visitor.

Enters: the node's process and rules `PORT:HOST:PORT`. Leaves: nothing; it ends with the node.
Started by `cluster.up`.
"""

import asyncio
import ctypes
import os
import socket

from parts.shell import ClusterError

READY = "Relaying"
"""Printed when every port is listened at."""


def main(pid: int, rules: list[str]) -> None:
    """Relay every rule until the node has ended."""
    listeners = []
    for rule in rules:
        port, host, target = rule.split(":")
        listener = socket.create_server(("127.0.0.1", int(port)), backlog=1024)
        listeners.append((listener, (host, int(target))))
    # The listeners stay outside; connections made from here on start in the visitors' network.
    namespace = os.open(f"/proc/{pid}/root/run/netns/visitors", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0):
        raise ClusterError(os.strerror(ctypes.get_errno()))
    asyncio.run(_serve(pid, listeners))


async def _serve(pid: int, listeners: list[tuple[socket.socket, tuple[str, int]]]) -> None:
    # Nobody else holds a connection's task after its client has half closed.
    tasks: set[asyncio.Task[None] | None] = set()
    for listener, address in listeners:

        async def handle(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            address: tuple[str, int] = address,
        ) -> None:
            task = asyncio.current_task()
            tasks.add(task)
            try:
                await _relay(reader, writer, address)
            finally:
                tasks.discard(task)

        await asyncio.start_server(handle, sock=listener)
    print(READY, flush=True)
    # /proc answers at once, and another process's end gives no event across namespaces.
    while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110, ASYNC240, PTH110
        await asyncio.sleep(1)


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: tuple[str, int]
) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection(*address)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
    inner_writer.close()
    writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()
