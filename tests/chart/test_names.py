"""Names that YAML takes for a number or a truth value stay text: `on`, `2024`, `1.0`, `0042`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from serinus.manifests import Index
from tests.chart.support import hooks, render
from tests.chart.test_objects import problems

WORDS = ("on", "2024", "1.0", "0042")


def given(*words: str) -> dict[str, Any]:
    """Every value that is a name, and a size; the first word but for the hosts, which differ."""
    word = words[0]
    labels = {"example.org/of": word}
    env = {"ON": word, "NO": word}
    return {
        "hosts": dict(zip(("frontend", "api", "grafana"), words, strict=False)),
        "api": {"expose": True},
        "image": {"registry": "", "tag": word, "pullSecrets": [word]},
        "gateway": {
            "namespace": word, "service": word, "serviceAccounts": [word], "selector": labels,
            "tls": {"enabled": True, "credentialName": word},
        },
        "workloads": {
            "app-frontend": {"env": env, "tracks": {"canary": {"env": env}}},
            "model-service": {"tracks": {"stable": {"model": {"name": word, "version": word}}}},
        },
        "pods": {
            "labels": labels, "annotations": labels, "nodeSelector": labels,
            "priorityClassName": word,
        },
        "model": {"registryClaim": word},
        "policy": {
            "prometheusNamespace": word, "prometheusPodLabels": labels,
            "istioNamespace": word, "dnsNamespace": word, "dnsPodLabels": labels,
        },
        "monitoring": {
            "labels": labels, "ruleLabels": labels,
            "alertmanager": {
                "recipient": f"{word}@{word}", "smarthost": "1:25", "labels": labels,
                "auth": {"username": word, "password": word, "passwordKey": word},
            },
            "grafana": {"folder": word, "service": word, "dashboardLabels": labels},
        },
    }  # fmt: skip


def storages(word: str) -> list[dict[str, Any]]:
    """Each way to keep data, with names of its own."""
    class_ = {"storageClassName": word}
    mine = {"existingSecret": word, "key": word, "caKey": word}
    volume = {"persistentVolume": {"hostPath": {"path": "/x"}}}
    no_postgresql = {"postgresql": {"enabled": False}}
    return [
        {"store": {"postgresql": {"size": "2024", **class_}},
         "model": {"cache": {"type": "claim", "size": "2024", **class_}}},
        {"store": {"postgresql": {"existingClaim": word, "existingSecret": word}},
         "model": {"cache": {"type": "claim", "existingClaim": word}},
         "secrets": {"existingSecret": word}},
        {"store": {"databaseUrl": mine, **no_postgresql},
         "model": {"cache": {"size": "2024"}},
         "monitoring": {"alertmanager": {"auth": {"existingSecret": word}}}},
        {"store": {"sqlite": {"allow": True, "existingClaim": word}, **no_postgresql},
         "model": {"cache": {"type": "claim", **volume}}},
    ]  # fmt: skip


def leaves(value: Any) -> Iterator[type]:
    """Types of all keys and values, in the order in which they are written."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield type(key)
            yield from leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below)
    else:
        yield type(value)


@cache
def rendered(number: int, *words: str, release: str) -> Index:
    layers = (given(*words), storages(words[0])[number])
    objects = list(render(*layers, name=release, namespace=words[0]))
    return Index(objects if number else [*objects, *hooks(*layers)])


@pytest.mark.parametrize("number", range(len(storages(""))))
@pytest.mark.parametrize("word", WORDS)
def test_a_name_that_looks_like_something_else_stays_a_name(word: str, number: int) -> None:
    at = WORDS.index(word)
    words = (*WORDS[at:], *WORDS[:at])
    found = rendered(number, *words, release=word)
    plain = rendered(number, "one", "two", "three", "four", release="one")
    for item, usual in zip(found, plain, strict=True):
        assert list(leaves(item.raw)) == list(leaves(usual.raw)), str(usual)
        assert problems(item.raw) == [], str(usual)
