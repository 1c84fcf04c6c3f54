"""The event store: what the application remembers, and what an experiment is judged from.

Enters: reviews, predictions, feedback, exposures. Leaves: the same, and events in commit order.
`base` says what a store does; `sqlite` and `postgres` do it; `migrate` makes their schema.
"""
