"""Runs trained networks on pictures and on planes of video.

`restore.load(name)` returns a function that sharpens arrays and Pillow images of any
size. `backends` run the network, `tiling` splits pictures that are too large for it,
and `planes` restores planes of video of one size, with integers in and out. Pixels of
pictures are converted to float32 in [0, 1] here and clipped on the way back. This
package opens no picture files.
"""
