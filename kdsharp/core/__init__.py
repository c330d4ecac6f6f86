"""Pure functions of arrays: no file, no flag, no state, no other kdsharp folder.

Pixels are float32 in [0, 1], NHWC, gamma-encoded sRGB. Nothing here clips them but
the metrics and the steps of a degradation that stand for an 8-bit picture.
"""
