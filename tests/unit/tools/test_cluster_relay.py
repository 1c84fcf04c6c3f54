import asyncio
import contextlib
import gc
import os
import socket


async def test_a_client_that_half_closes_gets_its_answer(part, capsys):
    relay = part("relay")

    async def slow(reader, writer):
        asked = await reader.read()
        collected = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, collected.set)
        await collected.wait()
        gc.collect()
        writer.write(b"answer to " + asked)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    listener = socket.create_server(("127.0.0.1", 0))
    target = server.sockets[0].getsockname()
    serving = asyncio.create_task(relay._serve(os.getpid(), [(listener, target)]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"this")
    writer.write_eof()
    gc.collect()
    async with asyncio.timeout(10):
        assert await reader.read() == b"answer to this"
    assert relay.READY in capsys.readouterr().out
    writer.close()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    server.close()
    listener.close()
