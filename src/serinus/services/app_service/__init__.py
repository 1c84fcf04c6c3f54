"""app-service: the API of restaurant reviews and the event store behind it.

Enters: reviews, feedback and exposures over HTTP. Leaves: JSON answers and rows that an experiment
can be judged from. Run by `python -m serinus.services.app_service`.
"""
