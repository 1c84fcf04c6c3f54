"""Registry and cache: whole versions only, damage refused and fetched again, safe together."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serinus.clients import registry
from serinus.clients.registry import lock
from serinus.contracts import artifact
from serinus.errors import ArtifactError, RegistryError
from serinus.model.artifact import write

CONTENTS = {"model.json": b'{"terms": {}}' * 1000, "extra/notes.txt": b"notes"}


def make(folder: Path, version: str = "v1", contents: dict[str, bytes] | None = None) -> Path:
    write(
        folder, contents or CONTENTS, name="reviews", version=version, engine="linear",
        labels=["negative", "positive"],
    )  # fmt: skip
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    registry.publish(make(tmp_path / "trained"), str(tmp_path / "registry"))
    return tmp_path / "registry"


class Handler(SimpleHTTPRequestHandler):
    """Serves a registry, counts requests, and cuts off what `cut` still has to cut."""

    asked: Counter[str]
    cut: Counter[str]

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        if self.cut[self.path] <= 0:
            super().do_GET()
            return
        self.cut[self.path] -= 1
        data = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True

    def log_message(self, *_: Any) -> None: ...


class Http:
    def __init__(self, folder: Path) -> None:
        self.asked: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        kind = type("Own", (Handler,), {"asked": self.asked, "cut": self.cut})
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(kind, directory=str(folder))
        )
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
        self.server.server_close()


@pytest.fixture
def http(store: Path) -> Iterator[Http]:
    made = Http(store)
    yield made
    made.close()


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "reviews").iterdir())


def test_a_version_is_fetched_once_and_found_again_without_the_registry(
    tmp_path: Path, store: Path
) -> None:
    cache = tmp_path / "cache"
    first = registry.fetch(str(store), "reviews", "v1", cache)
    assert (first.result, first.folder) == ("miss", cache / "reviews/v1")
    assert (first.folder / "extra/notes.txt").read_bytes() == b"notes"
    assert artifact.verify(first.folder) == first.manifest
    shutil.rmtree(store)
    assert registry.fetch(str(store), "reviews", "v1", cache).result == "hit"
    assert left(cache) == [".v1.lock", "v1"]


def test_http_and_directory_deliver_the_same(tmp_path: Path, store: Path, http: Http) -> None:
    over_http = registry.fetch(http.address + "/", "reviews", "v1", tmp_path / "a")
    direct = registry.fetch(str(store), "reviews", "v1", tmp_path / "b")
    assert over_http.manifest == direct.manifest
    assert registry.versions(http.address, "reviews") == registry.versions(str(store), "reviews")


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(p.read_bytes()[:-1]),
        lambda p: p.write_bytes(b"x" * p.stat().st_size),
        lambda p: p.unlink(),
        lambda p: p.with_name("manifest.json").unlink(),
        lambda p: p.with_name("manifest.json").write_bytes(b"{"),
    ],
    ids=["truncated", "altered", "missing", "no manifest", "broken manifest"],
)
def test_a_damaged_cache_is_refused_and_fetched_again(
    tmp_path: Path, store: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    folder = registry.fetch(str(store), "reviews", "v1", cache).folder
    damage(folder / "model.json")
    again = registry.fetch(str(store), "reviews", "v1", cache)
    assert again.result == "corrupt"
    artifact.verify(again.folder)
    assert left(cache) == [".v1.lock", "v1"]
    assert "a cached model is refused" in caplog.text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"short", "5 bytes instead of"),
        (b"x" * len(CONTENTS["model.json"]), "SHA-256 differs"),
        (CONTENTS["model.json"] + b"more", "more than"),
    ],
)
def test_a_damaged_registry_is_refused_and_named(
    tmp_path: Path, store: Path, data: bytes, message: str
) -> None:
    (store / "reviews/v1/model.json").write_bytes(data)
    with pytest.raises(ArtifactError, match=message) as caught:
        registry.fetch(str(store), "reviews", "v1", tmp_path / "cache")
    assert caught.value.where.endswith("reviews/v1/model.json")
    assert left(tmp_path / "cache") == [".v1.lock"]


def test_a_file_missing_in_the_registry_is_named(tmp_path: Path, store: Path) -> None:
    (store / "reviews/v1/extra/notes.txt").unlink()
    with pytest.raises(ArtifactError, match="missing") as caught:
        registry.fetch(str(store), "reviews", "v1", tmp_path / "cache")
    assert caught.value.where.endswith("extra/notes.txt")


@pytest.mark.parametrize("path", ["/reviews/v1/model.json", "/reviews/v1/manifest.json"])
def test_a_broken_transfer_is_fetched_again(tmp_path: Path, http: Http, path: str) -> None:
    http.cut[path] = 1
    fetched = registry.fetch(http.address, "reviews", "v1", tmp_path / "cache")
    artifact.verify(fetched.folder)
    assert http.asked[path] == 2


def test_a_transfer_that_stays_broken_is_an_error(tmp_path: Path, http: Http) -> None:
    http.cut["/reviews/v1/model.json"] = 99
    with pytest.raises(ArtifactError, match="truncated"):
        registry.fetch(http.address, "reviews", "v1", tmp_path / "cache")
    assert http.asked["/reviews/v1/model.json"] == 2


def test_a_missing_version_names_those_there_are(tmp_path: Path, store: Path, http: Http) -> None:
    for address in (str(store), http.address):
        with pytest.raises(RegistryError, match="does not have reviews v2") as caught:
            registry.fetch(address, "reviews", "v2", tmp_path / "cache")
        assert caught.value.remedy == "It has v1."
    assert registry.versions(http.address, "others") == []


def test_a_registry_out_of_reach_is_named(tmp_path: Path, http: Http) -> None:
    http.close()
    with pytest.raises(RegistryError, match="out of reach") as caught:
        registry.fetch(http.address, "reviews", "v1", tmp_path / "cache")
    assert http.address in caught.value.where
    with pytest.raises(RegistryError, match="directory does not exist"):
        registry.fetch(str(tmp_path / "nowhere"), "reviews", "v1", tmp_path / "cache")
    with pytest.raises(RegistryError, match="directory or an http"):
        registry.fetch("ftp://models", "reviews", "v1", tmp_path / "cache")


@pytest.mark.parametrize(("name", "version"), [("..", "v1"), ("reviews", "../v1"), ("", "v1")])
def test_names_cannot_leave_the_cache(tmp_path: Path, name: str, version: str) -> None:
    with pytest.raises(RegistryError, match="not a model's name or version"):
        registry.fetch(str(tmp_path), name, version, tmp_path / "cache")


def test_a_manifest_of_another_model_is_refused(tmp_path: Path, store: Path) -> None:
    shutil.copytree(store / "reviews/v1", store / "reviews/v2")
    with pytest.raises(ArtifactError, match="that of reviews v1, not reviews v2"):
        registry.fetch(str(store), "reviews", "v2", tmp_path / "cache")


def test_what_a_killed_download_left_is_removed(tmp_path: Path, store: Path) -> None:
    stale = tmp_path / "cache/reviews/.v1.fetch-abc"
    stale.mkdir(parents=True)
    (stale / "model.json").write_bytes(b"half")
    registry.fetch(str(store), "reviews", "v1", tmp_path / "cache")
    assert left(tmp_path / "cache") == [".v1.lock", "v1"]


def test_processes_that_start_together_fetch_once(tmp_path: Path, http: Http) -> None:
    script = (
        "import sys; from pathlib import Path; from serinus.clients import registry;"
        "print('ready', flush=True); sys.stdin.readline();"
        "print(registry.fetch(sys.argv[1], 'reviews', 'v1', Path(sys.argv[2])).result)"
    )
    command = [sys.executable, "-c", script, http.address, str(tmp_path / "cache")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = sorted(process.communicate(timeout=30)[0].strip() for process in processes)
    assert results == ["hit", "hit", "hit", "miss"]
    assert http.asked["/reviews/v1/model.json"] == 1


def test_a_lock_that_stays_taken_is_named(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "cache/reviews/.v1.lock"
    with lock.exclusive(path, 1), pytest.raises(RegistryError, match="holds the lock") as caught:
        registry.fetch(str(store), "reviews", "v1", tmp_path / "cache", lock_seconds=0.01)
    assert caught.value.where == str(path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, store: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(RegistryError, match="cannot lock") as caught:
        registry.fetch(str(store), "reviews", "v1", tmp_path / "cache")
    assert "writable" in caught.value.remedy


def test_a_published_version_never_changes(tmp_path: Path, store: Path) -> None:
    registry.publish(make(tmp_path / "same"), str(store))
    other = make(tmp_path / "other", contents={"model.json": b"other"})
    with pytest.raises(RegistryError, match="already published, with other content"):
        registry.publish(other, str(store))
    assert (store / "reviews/v1/model.json").read_bytes() == CONTENTS["model.json"]


def test_the_index_lists_what_is_there(tmp_path: Path, store: Path) -> None:
    published = registry.publish(make(tmp_path / "second", "v2"), str(store))
    (store / "reviews/not-a-version").mkdir()
    found = registry.versions(str(store), "reviews")
    assert [entry.version for entry in found] == ["v1", "v2"]
    assert found[1].digest == published.digest
    assert found[1].bytes == sum(map(len, CONTENTS.values()))
    index = json.loads((store / "reviews/index.json").read_text())
    assert index["name"] == "reviews"


def test_a_damaged_index_is_named(store: Path) -> None:
    (store / "reviews/index.json").write_text("{")
    with pytest.raises(RegistryError, match="index is damaged"):
        registry.versions(str(store), "reviews")


def test_what_cannot_be_published(tmp_path: Path, store: Path) -> None:
    with pytest.raises(RegistryError, match="read-only"):
        registry.publish(tmp_path / "trained", "http://127.0.0.1:1")
    (tmp_path / "trained/model.json").write_bytes(b"altered")
    with pytest.raises(ArtifactError):
        registry.publish(tmp_path / "trained", str(store))


def test_others_can_read_what_is_published_and_fetched(tmp_path: Path, store: Path) -> None:
    fetched = registry.fetch(str(store), "reviews", "v1", tmp_path / "cache").folder
    for root in (store / "reviews/v1", fetched):
        for folder, _, files in os.walk(root):
            assert Path(folder).stat().st_mode & 0o055 == 0o055
            assert all((Path(folder) / name).stat().st_mode & 0o044 == 0o044 for name in files)


def test_a_cache_that_is_complete_may_be_read_only(tmp_path: Path, store: Path) -> None:
    cache = tmp_path / "cache"
    registry.fetch(str(store), "reviews", "v1", cache)
    (cache / "reviews/.v1.lock").unlink()
    assert registry.fetch("/nowhere", "reviews", "v1", cache).result == "hit"
    assert left(cache) == ["v1"]
