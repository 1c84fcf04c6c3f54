"""Many visitors at once: arrivals, addresses, and the collected journeys.

Enters: how many visitors, how fast they arrive, what they write. Leaves: their journeys, one at a
time as they end. Called by `serinus simulate` and by whole-system tests.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from serinus.errors import SerinusError
from serinus.visitors.journey import Behaviour, Client, Journey, LabelledReview, walk
from serinus.visitors.tls import handshake


@dataclass(frozen=True, slots=True)
class Crowd:
    """`rate` is in new visitors per second; `gateway` is what to connect to, `host` the name asked.

    `tls` says which certificates to trust; without it they come over plain HTTP. `own_addresses`
    gives each visitor a loopback address of its own, so that a limit per client address meets each
    of them alone; it needs a gateway on this machine.
    """

    visitors: int
    rate: float
    reviews: Sequence[LabelledReview]
    gateway: tuple[str, int]
    host: str
    behaviour: Behaviour = field(default_factory=Behaviour)
    own_addresses: bool = True
    seed: int | None = None
    at_once: int = 200
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.visitors < 1:
            raise SerinusError("at least one visitor is needed", where="--visitors")
        if self.rate <= 0:
            raise SerinusError("visitors arrive at a rate above 0 per second", where="--rate")
        if not self.reviews:
            raise SerinusError("there is no review to write", where="--data")

    async def journeys(self) -> AsyncIterator[Journey]:
        """Let all visitors walk; yields each journey when it ends, raises `GatewayError`.

        Arrivals are a Poisson process. At most `at_once` visitors are inside; who comes then waits
        at the door, which lowers the rate instead of the machine.
        """
        if self.tls is not None:
            await handshake(self.gateway, self.host, self.tls)
        chance = random.Random(self.seed)
        first = chance.randrange(1 << 22)
        gate = asyncio.Semaphore(self.at_once)
        loop = asyncio.get_running_loop()
        started, due = loop.time(), 0.0
        pending: set[asyncio.Task[Journey]] = set()
        try:
            for number in range(self.visitors):
                due += chance.expovariate(self.rate)
                while (wait := started + due - loop.time()) > 0:
                    ended = await _ended_within(pending, wait)
                    for task in ended:
                        pending.discard(task)
                        yield task.result()
                visitor = self._visit(gate, first + number, random.Random(chance.random()))
                pending.add(loop.create_task(visitor))
            while pending:
                for task in await _ended_within(pending, None):
                    pending.discard(task)
                    yield task.result()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _visit(self, gate: asyncio.Semaphore, number: int, chance: random.Random) -> Journey:
        async with gate:
            address = visitor_address(number) if self.own_addresses else None
            client = Client(self.gateway, self.host, address, self.tls)
            try:
                return await walk(client, self.reviews, self.behaviour, chance)
            finally:
                await client.close()


def visitor_address(number: int) -> str:
    """The loopback address of visitor `number`: one of 4 million in 127.128.0.0/10.

    The blocks of local runs lie elsewhere (docs/architecture.md, "Addresses of one machine").
    """
    # The last octet stays off 0 and 255, which some tools treat as a network's own.
    rest, last = divmod(number, 254)
    return f"127.{128 + rest // 256 % 64}.{rest % 256}.{1 + last}"


async def _ended_within(
    pending: set[asyncio.Task[Journey]], seconds: float | None
) -> set[asyncio.Task[Journey]]:
    if not pending:
        await asyncio.sleep(seconds or 0)
        return set()
    ended, _ = await asyncio.wait(pending, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return ended
