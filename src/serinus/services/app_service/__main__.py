"""Runs app-service: `python -m serinus.services.app_service`, configured by the environment."""

from __future__ import annotations

import sys

from serinus.services.app_service.app import build
from serinus.services.app_service.settings import Settings
from serinus.services.chassis.server import run

if __name__ == "__main__":
    sys.exit(run(Settings, build))
