"""What readiness depends on, and for how long."""

from __future__ import annotations

from serinus.services.chassis.health import Health


async def test_what_is_needed_to_start_is_asked_until_it_was_fine_once() -> None:
    health = Health()
    said: dict[str, str | None] = {"shared": "not there yet", "own": None}
    health.add("shared", lambda: said["shared"], to_start=True)
    health.add("own", lambda: said["own"])
    health.started = True
    assert await health.missing() == {"shared": "not there yet"}
    said["shared"] = None
    assert await health.missing() == {}
    said |= {"shared": "gone", "own": "broken"}
    assert await health.missing() == {"own": "broken"}
