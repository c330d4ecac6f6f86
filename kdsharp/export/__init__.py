"""Exports networks to files for other runtimes.

`networks/` emits each architecture as ONNX nodes; `onnx_models` builds complete graphs,
from pixels to restored pixels. The input is a network with batch norm folded in and its
card; the exported files need neither JAX nor kdsharp.
"""
