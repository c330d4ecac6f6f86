"""Short clips as a poor call would show them: real damage by real encoders.

A clip is a scene (`scenes`: a photograph that a window moves over, a person before a
still background, a shared screen), softened and noised as a camera does (`camera`),
encoded in real time and decoded again (`codecs`). `recipes.draw(seed, index)` decides
all of it; a clip's fate depends on nothing else. What is kept is the encoded stream and
the recipe: true frames are rendered anew from the photographs.

`preparing.prepare` writes clips to a folder, `source.Clips` reads them as pairs of a
true frame and a decoded one, and `frames.rebuild` gives whole clips for networks that
see several frames.
"""
