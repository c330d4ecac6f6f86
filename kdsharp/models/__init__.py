"""Flax networks, one family a file; `create(name, **arguments)` builds one.

A module maps blurred pixels `[batch, height, width, channels]` to a residual of the
same shape: `restored = blurred + residual`. It clips nothing, carries the constants it
needs, and takes any height and width.
"""
