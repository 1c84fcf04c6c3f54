"""What the three services have in common, so that a service is only its routes.

Enters: a settings type and a `build` that makes an ASGI application. Leaves: a running process
with metrics, health, structured logs, request context and a graceful stop. Called by each
service's `__main__`; see `server.run`.
"""
