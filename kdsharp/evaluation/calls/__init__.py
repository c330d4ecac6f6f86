"""How good networks are on calls: real encoders at several rates, real metrics.

A ladder (`ladder`) is every combination of a clip (`clips`: a photograph, still or
panned over, a video, or a page of text), a source (sharp, sent at half size, or behind
a soft lens), a rate and a codec. Each combination is a cell: it is encoded once, its
stream kept, and every restorer (`restorers`) is judged on what the decoder gives
(`measures`, `vmaf`). Finished cells stay in a folder (`store`), so that an interrupted
run goes on. `summary` is what the cells say together, `report` and `showing` what a
person reads and looks at.
"""
