"""Where pixels come from: sources of pictures and the pipeline that cuts them.

A source is a sequence with random access: `len(source)` and `source[i]`, a dict with
`key` (a stable name) and `sharp` (uint8 `[height, width, 3]`, gamma-encoded sRGB).
`sources.create(spec, split)` makes one: a person's folder, or what the project carries.
The pipeline hands out uint8 batches, of which number N depends on the seed and N alone;
everything done to pixels as numbers happens on the device, in `kdsharp.core`.
"""
