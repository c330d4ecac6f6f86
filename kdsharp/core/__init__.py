"""Pure functions of arrays: metrics, losses and degradations; no files, no state.

Pixels are float32 in [0, 1], NHWC, gamma-encoded sRGB. Only the metrics clip them, and
those degradation steps that produce an 8-bit picture.
"""
