"""Live video: always processes the newest frame and drops late ones.

`inputs` and `outputs` interpret the names on the command line, `cameras` writes to
virtual cameras, `reading` yields frames as they arrive and reconnects, `latest_frame`
hands over the latest frame, `streaming` joins them. Latency is measured from incoming
to outgoing packet.
"""
