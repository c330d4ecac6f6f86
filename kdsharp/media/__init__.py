"""Picture files in and out, with all that a file holds beside its pixels.

`pictures.read` returns pixels, upright, with alpha and all their bits, and the details
(EXIF, colour profile, resolution, quality) that `pictures.write` takes along. What
sharpens the pixels lives in `runtime`; here nothing is computed from them.
"""
