"""Live: the newest frame first, and what comes late is dropped.

`inputs` and `outputs` say what a name on the command line stands for, `reading` gives
frames as they arrive and comes back when the stream does, `newest` hands over no
frame but the latest, `streaming` joins them. Latency is measured from the packet that
comes in to the packet that goes out.
"""
