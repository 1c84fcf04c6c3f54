"""The run on one machine: render, plan, write, run.

`session` is the door for `serinus.cli`; `plan` and `pods` are pure; `daemon` is the background
process, made of `supervisor`, `unit` and `process`.
"""
