"""Short video clips, degraded by real encoders as in a video call.

A clip is a scene (`scenes`: a window that moves over a photograph, a person before a
still background, a shared screen), with the blur and noise of a camera (`camera`),
encoded in real time and decoded again (`codecs`). `recipes.draw` samples all of it from
a seed, the clip's number and the names of the photographs. Only the encoded stream and
the recipe are stored; true frames are rendered again from the photographs.

`preparing.prepare` writes clips to a folder (`shards`), `source.Clips` reads them as
pairs of a true frame and a decoded one, and `rebuilding.rebuild` gives complete clips
for networks that see several frames.
"""
