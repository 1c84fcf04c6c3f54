"""Runs app-frontend: `python -m serinus.services.app_frontend`, configured by the environment."""

from __future__ import annotations

import sys

from serinus.services.app_frontend.app import build
from serinus.services.app_frontend.settings import Settings
from serinus.services.chassis.server import run

if __name__ == "__main__":
    sys.exit(run(Settings, build))
