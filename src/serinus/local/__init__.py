"""The run on one machine: render, plan, write, run.

`session` is the door for `serinus.cli`: `prepare` renders and plans (`effects`, `pods`, `compose`,
`envoy`, `monitoring`), `control` hands the plan over. `daemon` is the background process, made of
`supervisor`, `unit` and `process`. `workspace` is the state directory, `docs/local.md` the manual.
"""
