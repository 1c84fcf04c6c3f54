"""A user whose rights end at one namespace: a ServiceAccount with the Role that the docs name.

Enters: a release's namespace. Leaves: a kubeconfig of that user's own, and `helm` and `serinus` run
with it. The Roles are docs/kubernetes/*.yaml as they stand. Called by the fixture `small`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.support import ROOT, VALUES, Release, run, run_any

ROLES = ROOT / "docs" / "kubernetes"
SERINUS = Path(sys.executable).with_name("serinus")
ACCOUNT = "deployer"
MARK = "serinus-test-rights"
"""Begins the names of what is applied outside of the namespace, and is its label: a user's own are
left alone."""


@dataclass
class Limited:
    """A release, and the kubeconfig of a user who may do nothing outside of its namespace."""

    release: Release
    kubeconfig: Path
    files: tuple[str, ...]

    @classmethod
    def at(cls, release: Release, folder: Path) -> Limited:
        """Apply the Role to a new ServiceAccount in the release's namespace, with a token."""
        account = f"{release.namespace}:{ACCOUNT}"
        release.kubectl("create", "serviceaccount", ACCOUNT)
        release.kubectl("apply", "-f", str(ROLES / "role.yaml"))
        words = ("create", "rolebinding", ACCOUNT, "--role=serinus", f"--serviceaccount={account}")
        release.kubectl(*words)
        token = release.kubectl("create", "token", ACCOUNT, "--duration=1h").strip()
        config = json.loads(run("kubectl", "config", "view", "--minify", "--flatten", "-ojson"))
        name = config["current-context"]
        about = {"cluster": config["contexts"][0]["context"]["cluster"], "user": ACCOUNT}
        config["contexts"] = [{"name": name, "context": about}]
        config["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
        path = folder / "kubeconfig"
        path.touch(0o600)
        path.write_text(json.dumps(config))
        values = folder / "values.yaml"
        values.write_text(yaml.safe_dump(release.values))
        return cls(release, path, ("-f", str(VALUES), "-f", str(values)))

    @staticmethod
    def forget() -> None:
        """Delete what `grant_more` applied, also in a run that was killed."""
        kinds = "clusterroles,clusterrolebindings,roles,rolebindings"
        run("kubectl", "delete", kinds, "-A", "-l", MARK)

    def any(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command as this user, whatever its exit code."""
        return run_any("env", f"KUBECONFIG={self.kubeconfig}", *words, stdin=stdin, timeout=420)

    def run(self, *words: str, stdin: str | None = None) -> str:
        """What a command prints, both outputs together; AssertionError when it fails."""
        done = self.any(*words, stdin=stdin)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def serinus(self, *words: str) -> str:
        """`serinus` in the release's namespace."""
        return self.run(str(SERINUS), *words, "--namespace", self.release.namespace)

    def refused(self, *words: str) -> str:
        """What `serinus` says when it fails as it should: a message, and no traceback."""
        done = self.any(str(SERINUS), *words, "--namespace", self.release.namespace)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "Traceback" not in said, said
        return said

    def helm(self, *flags: str) -> str:
        """`helm upgrade --install` as this user."""
        words, values = self.release.command(*flags)
        return self.run(*words, stdin=values)

    def grant_more(self) -> None:
        """Give the rights beyond the namespace too, until `forget`."""
        applied = []
        for role in yaml.safe_load_all((ROLES / "more.yaml").read_text(encoding="utf-8")):
            role["metadata"]["name"] = name = f"{MARK}-{role['metadata']['name']}"
            role["metadata"]["labels"] = {MARK: "yes"}
            subject = {"kind": "ServiceAccount", "name": ACCOUNT}
            binding = {
                "apiVersion": role["apiVersion"], "kind": f"{role['kind']}Binding",
                "metadata": role["metadata"],
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": name,
                },
                "subjects": [{**subject, "namespace": self.release.namespace}],
            }  # fmt: skip
            applied += [role, binding]
        objects = {"apiVersion": "v1", "kind": "List", "items": applied}
        run("kubectl", "apply", "-f", "-", stdin=json.dumps(objects))
