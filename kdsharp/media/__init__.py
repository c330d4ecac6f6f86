"""Files and streams in and out, with all that they hold beside their pixels.

`pictures.read` returns pixels, upright, with alpha and all their bits, and the details
(EXIF, colour profile, resolution, quality) that `pictures.write` takes along; `video/`
has what moves. What sharpens the pixels lives in `runtime`.
"""
