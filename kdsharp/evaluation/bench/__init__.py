"""How fast networks run: every contender a process of its own, all taking turns.

A frame is RGB in 8 bits, as a camera gives it and a screen takes it; a contender maps a
batch of frames to sharpened ones, conversion included, and gets new frames every time.
"""
