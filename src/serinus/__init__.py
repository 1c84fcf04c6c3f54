"""Serinus ships a machine-learning web application behind a controlled experiment."""

__version__ = "0.1.0"
