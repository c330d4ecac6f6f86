"""Sharpens millions of pictures with an Apache Beam pipeline.

| names -> pictures not done yet -> decoded -> RunInference (exported ONNX model) ->
files

A picture is done when its complete output file exists. Pictures that fail are listed
with the reason, and the others go on.
"""
