"""What things cost: loading, training steps, whole runs, a browser.

`python -m benchmarks` lists them; each is a command of its own, and writes its numbers
as JSON if told to. They measure the package and are no part of it.
"""
