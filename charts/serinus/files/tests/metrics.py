"""Every part shows its metrics on the second port, and nothing else there."""

import os

from visitor import request

POLICY = os.environ["POLICY"] == "true"

for app in os.environ["APPS"].split(","):
    service = f"{app}-metrics"
    answer, text = request("GET", "/metrics", service, target=service, port=9090)
    if answer.status != 200 or "serinus_build_info" not in text:
        raise SystemExit(f"{app}: /metrics answers {answer.status}: {text[:200]}")
    answer, _ = request("GET", "/readyz", service, target=service, port=9090)
    if POLICY and answer.status != 403:
        raise SystemExit(f"{app}: /readyz answers {answer.status} to a stranger")
    print(f"{app}: metrics are there")
