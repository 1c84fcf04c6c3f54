"""The sentiment model: text handling, training, evaluation, artifacts and engines (pure).

Fetching, locking and publishing live in `serinus.clients.registry`.
"""
