"""Networks leave JAX: files for other runtimes.

`networks/` writes an architecture as nodes, `pictures` makes a whole graph of it, from
pixels to restored pixels. What it takes is a folded network and its card; what it gives
needs neither JAX nor kdsharp to run.
"""
