"""What Envoy reads when it starts: its admin address and the files to watch.

Enters: the placement. Leaves: the bootstrap as a JSON value. Called by `serinus.mesh.envoy`.
"""

from __future__ import annotations

from typing import Any

from serinus.mesh.envoy import names
from serinus.mesh.placement import Placement


def bootstrap(placement: Placement) -> dict[str, Any]:
    """The bootstrap; it changes only with the admin address or the folder, so rarely."""
    admin = placement.admin
    return {
        "node": {"id": "serinus", "cluster": "serinus"},
        "admin": {
            "address": {"socket_address": {"address": admin.address, "port_value": admin.port}}
        },
        "dynamic_resources": {
            "cds_config": names.source_file(placement.directory, names.CDS),
            "lds_config": names.source_file(placement.directory, names.LDS),
        },
        # As Istio starts its proxies: a fragment is taken off the path instead of refused.
        "layered_runtime": {
            "layers": [
                {
                    "name": "istio",
                    "static_layer": {
                        "envoy.reloadable_features.http_reject_path_with_fragment": False
                    },
                }
            ]
        },
    }
