"""Short clips as a poor call would show them: real damage by real encoders.

A clip is a scene (`scenes`: a photograph that a window moves over, a person before a
still background, a shared screen), softened and noised as a camera does (`camera`),
encoded in real time and decoded again (`codecs`). `recipes.draw` decides all of it by a
seed, the clip's number and the names of the photographs. What is kept is the encoded
stream and the recipe: true frames are rendered anew from the photographs.

`preparing.prepare` writes clips to a folder (`shards`), `source.Clips` reads them as
pairs of a true frame and a decoded one, and `rebuilding.rebuild` gives whole clips for
networks that see several frames.
"""
