"""A real app-service process on a loopback address of its own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

from tests.support.process import until_said

MODEL = {"name": "reviews", "version": "v1", "digest": "a" * 64}
# The process id keeps parallel test workers on addresses of their own.
BLOCK = f"127.202.{os.getpid() % 250}"
ADDRESSES = itertools.cycle(f"{BLOCK}.{number}" for number in range(2, 250))


class Process:
    """One app-service; ended by its own process id."""

    def __init__(self, environment: dict[str, str], **extra: str) -> None:
        self.host = next(ADDRESSES)
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "serinus.services.app_service"],
            env={
                "PATH": os.environ["PATH"], "SERINUS_APP": "app-service",
                "SERINUS_TRACK": "canary", "SERINUS_HOST": self.host, "UNIT_KEY": "k" * 16,
                "MODEL_SERVICE_URL": f"http://{BLOCK}.1:8080", "SERINUS_ACCESS_LOG": "false",
                **environment, **extra,
            },
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://{self.host}:8080"

    def wait(self) -> None:
        until_said(self.popen.stdout, '"serving"')

    def kill(self) -> None:
        self.popen.kill()
        self.popen.communicate()
