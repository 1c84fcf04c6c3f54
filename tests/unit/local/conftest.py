"""A small rendered chart, and a machine whose clock and processes are made up."""

from __future__ import annotations

import asyncio
import heapq
import itertools

import pytest

from serinus.local.plan import Gateway, Plan, Template, Workload
from serinus.manifests import Index

RENDERED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {LEVEL: info, PLACE: /data/x}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
data: {key: c2VjcmV0}
stringData: {plain: text}
---
apiVersion: v1
kind: Service
metadata: {name: back}
spec: {selector: {app: back}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: front-stable}
spec:
  replicas: 2
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front, version: stable}}
    spec:
      terminationGracePeriodSeconds: 7
      containers:
        - name: app
          image: front:1
          command: [python, -m, front]
          args: ["--level=$(LEVEL)", "$$(LEVEL)"]
          env:
            - {name: HOST, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: LEVEL}}}
            - {name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}
            - {name: NONE, valueFrom: {secretKeyRef: {name: absent, key: key, optional: true}}}
            - {name: BACK, value: "http://back"}
            - {name: BACK_FULL, value: "http://back.serinus.svc.cluster.local:80/v1"}
            - {name: ELSEWHERE, value: "http://example.test/x"}
            - {name: DATA, value: /data}
            - {name: DATABASE, value: /database}
            - {name: SECRETS, value: /secrets}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 2}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            - {name: data, mountPath: /data}
            - {name: secrets, mountPath: /secrets}
      volumes:
        - {name: tmp, emptyDir: {}}
        - {name: data, persistentVolumeClaim: {claimName: events}}
        - {name: secrets, secret: {secretName: keys}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: back-stable}
spec:
  selector: {matchLabels: {app: back}}
  template:
    metadata: {labels: {app: back, version: stable}}
    spec:
      containers:
        - name: app
          command: [python, -m, back]
          envFrom: [{configMapRef: {name: settings}, prefix: X_}]
"""


@pytest.fixture
def rendered():
    return RENDERED


@pytest.fixture
def index():
    return Index.parse(RENDERED)


class Child:
    """A process that ends when it is told to."""

    pids = itertools.count(1000)

    def __init__(self, machine, command):
        self.pid = next(self.pids)
        self.command = command
        self.signals = []
        self.ended = asyncio.get_running_loop().create_future()
        self.machine = machine

    async def wait(self):
        return await asyncio.shield(self.ended)

    def signal(self, number, *, group=False):
        if self.ended.done():
            return
        self.signals.append(number)
        if number not in self.machine.deaf or number == 9:
            self.end(-number)

    def end(self, code):
        if not self.ended.done():
            self.ended.set_result(code)


class Machine:
    """Its clock moves to the next sleeper's time when nobody has anything else to do."""

    def __init__(self):
        self.time = 0.0
        self.children = []
        self.sick = {"/never"}
        self.crashing = set()
        self.missing = set()
        self.deaf = set()
        self.closed = set()
        self.sleeps = []
        self._sleepers = []
        self._order = itertools.count()
        self._ticking = False

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), woken))
        if not self._ticking:
            self._ticking = True
            self._tick(12)
        await woken

    def _tick(self, idle):
        loop = asyncio.get_running_loop()
        if idle:
            loop.call_soon(self._tick, idle - 1)
            return
        while self._sleepers:
            until, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.time = until
                woken.set_result(None)
                break
        self._ticking = bool(self._sleepers)
        if self._ticking:
            loop.call_soon(self._tick, 12)

    async def spawn(self, command):
        if command.argv[0] in self.missing:
            raise FileNotFoundError(2, "No such file or directory")
        child = Child(self, command)
        self.children.append(child)
        if command.argv[-1] in self.crashing:
            command.log.parent.mkdir(exist_ok=True)
            with command.log.open("a") as log:
                log.write("no model\n")
            child.end(3)
        return child

    async def probe(self, probe, address):
        return probe.path not in self.sick

    async def listens(self, address, port):
        return port not in self.closed

    def alive(self):
        return [child for child in self.children if not child.ended.done()]


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def make_plan(tmp_path):
    def make(*workloads, **more):
        return Plan(
            state=str(tmp_path),
            release="serinus",
            namespace="serinus",
            block="127.20.1",
            gateway=Gateway(addresses=("127.0.0.1",), port=8080),
            manifest=more.pop("manifest", ""),
            workloads=workloads,
            **more,
        )

    return make


@pytest.fixture
def make_workload():
    def make(name="front-stable", command="one", replicas=1, **more):
        app, _, track = name.rpartition("-")
        template = more.pop("template", None) or Template(
            argv=("run", command),
            env={"HOST": "@POD_IP@"},
            ports={"http": 8080},
            **more.pop("of", {}),
        )
        return Workload(
            name=name,
            app=app,
            track=track,
            labels={"app": app, "version": track},
            replicas=replicas,
            template=template,
            **more,
        )

    return make
