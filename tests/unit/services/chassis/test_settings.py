"""A service's environment: every wrong value at once, and no secret in a message."""

from __future__ import annotations

import pytest
from msgspec import field

from serinus.errors import SettingsError
from serinus.services.chassis.settings import Secret, ServiceSettings, Url, load

IDENTITY = {"SERINUS_APP": "app-service", "SERINUS_TRACK": "canary"}


class Example(ServiceSettings, kw_only=True, frozen=True):
    upstream: Url = field(name="UPSTREAM_URL")
    key: Secret = field(name="KEY")
    flag: bool = field(name="FLAG", default=False)


def test_values_and_defaults() -> None:
    settings = load(
        Example,
        IDENTITY | {"UPSTREAM_URL": "http://app-service", "KEY": "k" * 16, "FLAG": "true"},
    )
    assert (settings.app, settings.track, settings.http_port) == ("app-service", "canary", 8080)
    assert settings.flag is True
    assert settings.upstream == "http://app-service"


def test_every_wrong_value_is_listed_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            Example,
            {
                "SERINUS_APP": "app-service",
                "SERINUS_HTTP_PORT": "99999",
                "UPSTREAM_URL": "ftp://x",
                "KEY": "tooshort",
                "FLAG": "perhaps",
            },
        )
    text = str(caught.value)
    for name in ("SERINUS_TRACK is missing", "SERINUS_HTTP_PORT", "UPSTREAM_URL", "KEY", "FLAG"):
        assert name in text
    assert "99999" in text
    assert caught.value.exit_code == 2


def test_a_secret_is_never_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Example, IDENTITY | {"UPSTREAM_URL": "http://a", "KEY": "tooshort"})
    assert "tooshort" not in str(caught.value)


def test_an_empty_value_counts_as_absent() -> None:
    settings = load(ServiceSettings, IDENTITY | {"SERINUS_HTTP_PORT": ""})
    assert settings.http_port == 8080
