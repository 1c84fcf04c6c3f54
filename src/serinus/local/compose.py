"""The plan of a run, put together from its parts.

Enters: the rendered chart and the run's addresses. Leaves: `Plan`. Pure apart from looking for
installed programs; called by `serinus.local.session`.
"""

from __future__ import annotations

from pathlib import Path

from serinus.local import addresses, envoy, monitoring, pods
from serinus.local.plan import Gateway, Outbound, Plan
from serinus.manifests import Index


def compose(
    manifest: str,
    index: Index,
    *,
    state: Path,
    block: str,
    gateway: Gateway,
    ports: dict[str, int],
    release: str = "serinus",
    namespace: str = "serinus",
) -> Plan:
    """Everything one machine shall run. `ports` keeps outbound ports between plans and grows.

    Raises `ManifestError` and `MeshError` naming object and path.
    """
    outbound = pods.Outbound(block, ports)
    deployed = pods.read(index, str(state), namespace, outbound)
    plan = Plan(
        state=str(state),
        release=release,
        namespace=namespace,
        block=block,
        gateway=gateway,
        manifest=manifest,
        workloads=deployed.workloads,
        outbound=tuple(
            Outbound(
                workload=workload.name,
                service=service,
                address=addresses.host(block, addresses.ENVOY),
                port=outbound.port(workload.name, service),
            )
            for workload in deployed.workloads
            for service in deployed.calls[workload.name]
        ),
        daemons=(envoy.daemon(str(state), block),),
        files=deployed.files,
        directories=deployed.directories,
    )
    return monitoring.extend(plan, index)
