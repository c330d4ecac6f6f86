"""Video: files and live streams are decoded, restored, encoded.

`reading` gives frames and the packets between them, `restoring` turns a frame into a
restored one, `writing` encodes frames and carries packets over. `files` joins them for
a file, `live` for a stream that does not wait. Frames are PyAV's, and stay what the
decoder gave: a network of luma changes the Y plane alone. Within `restoring`, a frame
passes `conforming` (all frames alike), `passages` (pixels out of it and back),
`unsharp` and `seam` (arrays alone).
"""
