"""The model registry and the model cache.

A registry is a directory, or its copy behind any http(s) server: `<name>/index.json` lists the
versions, `<name>/<version>/manifest.json` and the files it names are one of them. `publish` puts
a version in, `fetch` brings it into a cache of the same layout, `versions` lists.
"""

from serinus.clients.registry.cache import Fetched, fetch
from serinus.clients.registry.publish import publish
from serinus.clients.registry.sources import Index, IndexEntry, versions

__all__ = ["Fetched", "Index", "IndexEntry", "fetch", "publish", "versions"]
