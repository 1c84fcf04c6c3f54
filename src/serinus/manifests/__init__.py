"""Kubernetes objects as the chart renders them, with the line each value came from."""

from serinus.manifests.index import Index
from serinus.manifests.object import Object, Path, Source, dotted

__all__ = ["Index", "Object", "Path", "Source", "dotted"]
