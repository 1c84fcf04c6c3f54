"""The gateway's limit per client address."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.e2e.support import Answer, Run


async def _burst(run: Run, address: str, count: int, **options: object) -> Counter[int]:
    async with run.visitor(address) as ask:
        answers = await asyncio.gather(*(ask("/version", **options) for _ in range(count)))
    return Counter(answer.status for answer in answers)


async def _until_limited(run: Run, address: str) -> Answer:
    async with run.visitor(address) as ask:
        for _ in range(2000):
            answer = await ask("/version")
            if answer.status == 429:
                return answer
    raise AssertionError("2000 requests from one address and no limit")


async def test_a_limited_address_is_told_when_to_return(system: Run) -> None:
    limited = await _until_limited(system, "127.210.0.1")
    assert int(limited.headers["retry-after"]) >= 1
    assert "x-ratelimit-limit" in limited.headers


async def test_one_addresss_limit_leaves_another_alone(system: Run) -> None:
    await _until_limited(system, "127.210.0.2")
    assert await _burst(system, "127.210.0.3", 5) == {200: 5}


async def test_a_thousand_other_addresses_refill_no_bucket(system: Run) -> None:
    await _until_limited(system, "127.210.0.4")
    gate = asyncio.Semaphore(50)

    async def other(number: int) -> None:
        async with gate:
            await _burst(system, f"127.211.{number // 250}.{1 + number % 250}", 1)

    await asyncio.gather(*(other(number) for number in range(1000)))
    burst = await _burst(system, "127.210.0.4", 400)
    limit = int(
        (await _until_limited(system, "127.210.0.4")).headers["x-ratelimit-limit"].split(",")[0]
    )
    # Time has gone by, so some tokens are back, but never a whole new bucket beside the old one.
    assert burst[429] >= 400 - 2 * limit


async def test_a_spoofed_forwarded_for_does_not_evade(system: Run) -> None:
    await _until_limited(system, "127.210.0.5")
    async with system.visitor("127.210.0.5") as ask:
        answers = [
            await ask("/version", headers={"x-forwarded-for": f"10.0.0.{number}"})
            for number in range(20)
        ]
    assert 429 in {answer.status for answer in answers}
