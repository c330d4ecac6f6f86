"""A trained network as a function from picture to picture.

`restore.load(name)` returns what sharpens arrays and Pillow images of any size and
kind; `backends` run the network, `tiling` cuts what is too large for it. `planes`
restores planes of video, integers in and out, at one size. Pixels of pictures become
float32 in [0, 1] at this edge and are clipped on their way back. No picture file is
opened here.
"""
