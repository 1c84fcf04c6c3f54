"""Runs model-service: `python -m serinus.services.model_service`, configured by the environment."""

from __future__ import annotations

import sys

from serinus.services.chassis.server import run
from serinus.services.model_service.app import build
from serinus.services.model_service.settings import Settings

if __name__ == "__main__":
    sys.exit(run(Settings, build))
