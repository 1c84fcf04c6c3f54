"""Reads the table of requests and decisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

APP = {"frontend": "app-frontend", "api": "app-service"}


@dataclass(frozen=True)
class Row:
    """One request and what shall become of it."""

    name: str
    method: str
    host: str
    path: str
    headers: tuple[tuple[str, str], ...]
    source: str
    status: int
    cluster_status: int
    app: str
    track: str
    rule: str
    sees: dict[str, str | None]

    @property
    def assigns(self) -> bool:
        return self.track == "drawn"


@dataclass(frozen=True)
class Table:
    epoch: int
    weight: int
    hosts: dict[str, str]
    rows: tuple[Row, ...]

    @property
    def rollout(self) -> dict[str, Any]:
        """As the chart's values."""
        weights = {"stable": 100 - self.weight, "canary": self.weight}
        return {"epoch": self.epoch, "weights": weights}


def load() -> Table:
    raw = yaml.safe_load((Path(__file__).parent / "table.yaml").read_text(encoding="utf-8"))
    rows = tuple(_row(dict(item), raw["hosts"]) for item in raw["rows"])
    assert len({row.name for row in rows}) == len(rows)
    return Table(raw["epoch"], raw["weight"], raw["hosts"], rows)


def _row(raw: dict[str, Any], hosts: dict[str, str]) -> Row:
    cookies = raw.pop("cookie", [])
    headers = [(str(name), str(value)) for name, value in raw.pop("headers", [])]
    headers += [("cookie", text) for text in ([cookies] if isinstance(cookies, str) else cookies)]
    method, host = raw.pop("method", "GET"), raw.pop("host", "frontend")
    rule = raw.pop("rule", "")
    row = Row(
        name=raw.pop("is"),
        method=method,
        host=hosts.get(host, host),
        path=_long(raw.pop("path", "/")),
        headers=tuple((name, _long(value)) for name, value in headers),
        source=raw.pop("from", ""),
        status=raw.get("status", 200),
        cluster_status=raw.pop("cluster_status", raw.get("status", 200)),
        app=raw.pop("app", "app-frontend"),
        track=raw.pop("track", ""),
        rule=f"{rule}-get" if rule and method == "GET" else rule,
        sees=raw.pop("sees", {}),
    )
    raw.pop("status", None)
    assert not raw, f"{row.name}: unknown fields {sorted(raw)}"
    assert (row.status == 200) == bool(row.track and row.rule), row.name
    return row


def _long(text: str) -> str:
    return text.replace("<8k>", "x" * 8192)
