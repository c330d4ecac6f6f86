"""Benchmarks of data loading, training steps, whole runs and browsers.

`python -m benchmarks` lists them. Each is a command of its own; `--json FILE` also
saves its numbers. They measure the package and are not part of it.
"""
