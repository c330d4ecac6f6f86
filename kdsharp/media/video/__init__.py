"""Video: files and live streams are decoded, restored and encoded.

`reading` yields frames and the packets of other streams, `restoring` restores a frame,
`writing` encodes frames and copies packets. `restore_file` joins them for files, `live`
for real-time streams. Frames are PyAV's, as decoded: networks for luma change only the
Y plane. Within `restoring`, a frame passes through `conforming` (makes all frames
alike), `passages` (extracts and replaces pixels), `unsharp` and `seam` (which work on
arrays).
"""
