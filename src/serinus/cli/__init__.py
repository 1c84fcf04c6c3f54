"""The door: one file per command group. Nothing imports from here."""
