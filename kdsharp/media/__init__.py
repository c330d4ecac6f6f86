"""Pictures and video: files and streams in, files and streams out.

What is decoded here is restored by `kdsharp.runtime` and encoded again; what a file
carries beside its pixels is carried over. What is written is there whole, or not at
all.
"""
