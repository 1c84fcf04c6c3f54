"""Serinus ships a machine-learning web application behind a controlled experiment."""

__version__ = "0.2.0"
