"""Speed benchmarks: each contender in its own process, all taking turns.

Frames are 8-bit RGB, as from a camera and for a screen. A contender maps a batch of
frames to restored ones, including all conversions, and gets new frames for every call.
"""
