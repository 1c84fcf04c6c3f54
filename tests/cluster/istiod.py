"""Istiod taken away and brought back, also after a run that was killed in between.

Enters: the cluster. Leaves: istiod with as many pods as before; the number stands in an annotation
of its own meanwhile. Called by the fixture `cluster` and the test that does without istiod.
"""

from __future__ import annotations

import json

from tests.cluster.support import run, run_any

BEFORE = "serinus-test/replicas"
ISTIOD = ("kubectl", "-n", "istio-system")
NAME = "deployment/istiod"


def stop_istiod() -> None:
    """Scale it to no pod."""
    replicas = json.loads(run(*ISTIOD, "get", NAME, "-o", "json"))["spec"]["replicas"]
    run(*ISTIOD, "annotate", NAME, f"{BEFORE}={replicas}", "--overwrite")
    run(*ISTIOD, "scale", NAME, "--replicas=0")


def start_istiod() -> None:
    """Scale it back and wait until it is ready; does nothing where it was not stopped."""
    found = run_any(*ISTIOD, "get", NAME, "-o", "json")
    if found.returncode:
        return
    before = json.loads(found.stdout)["metadata"].get("annotations", {}).get(BEFORE)
    if before is None:
        return
    run(*ISTIOD, "scale", NAME, f"--replicas={before}")
    run(*ISTIOD, "rollout", "status", NAME, "--timeout=120s")
    run(*ISTIOD, "annotate", NAME, f"{BEFORE}-")
