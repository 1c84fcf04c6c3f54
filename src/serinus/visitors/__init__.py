"""Simulated visitors: honest HTTP clients that use the pages like a browser without scripts."""
