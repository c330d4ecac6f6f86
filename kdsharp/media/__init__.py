"""Picture and video files and streams, read and written with their metadata.

`pictures.read` returns upright pixels, with alpha and full bit depth, and the metadata
(EXIF, colour profile, resolution, quality) that `pictures.write` stores again; `video/`
does the same for video. The pixels are sharpened in `runtime`.
"""
