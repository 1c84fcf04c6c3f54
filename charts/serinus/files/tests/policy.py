"""A stranger, a pod without sidecar, is refused by every part of the application."""

import os
import socket

from visitor import request

for app in os.environ["APPS"].split(","):
    try:
        answer, _ = request("GET", "/version", app, target=app, port=80)
    except socket.gaierror:
        raise  # A name that nobody knows is no refusal.
    except OSError as error:
        print(f"{app}: refused ({error})")
        continue
    if answer.status != 403:
        raise SystemExit(f"{app}: a stranger was answered {answer.status}")
    print(f"{app}: refused (403)")
