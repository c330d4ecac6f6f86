"""Millions of pictures: an Apache Beam pipeline around its own RunInference.

names -> those not done -> decoded -> RunInference (the exported ONNX model) -> files

A picture is done when its file is there, whole, under its name. What cannot be
sharpened is listed with the reason, and the others go on.
"""
