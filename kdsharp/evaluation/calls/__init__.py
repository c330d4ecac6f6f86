"""Quality on video calls: real encoders at several rates, and video metrics.

A ladder (`ladder`) is every combination of a clip (`clips`: a photograph, still or
panned over, a video, or a page of text), a source (sharp, sent at half size, or behind
a soft lens), a rate and a codec. Each combination is a cell: it is encoded once, its
stream is kept, and every restorer (`restorers`) is scored on the decoded frames
(`measures`, `vmaf`). Finished cells are kept in a folder (`store`), so that an
interrupted run can continue. `summary` averages the cells; `call_report` and `showing`
write tables, plots, crops and videos.
"""
