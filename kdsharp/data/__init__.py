"""Where pixels come from: sources of pictures and the pipeline that cuts them.

A source is a sequence with random access: `len(source)` and `source[i]`, a dict with
`key` (a stable name) and `sharp` (uint8 `[height, width, 3]`, gamma-encoded sRGB); a
source of pairs adds `blurred`, of the same shape. `sources.create(spec, split)` makes
one, by a spec:

    embedded       what the project carries or generates
    folder:PATH    every picture below a folder
    paired:PATH    sharp pictures and blurred ones, in sharp/ and blur/
    tfds:NAME      celeba, helen or gopro, once `kdsharp data prepare NAME` has been run
    clips:PATH     frames of calls that `kdsharp data prepare clips` encoded
    snapshots:PATH
                   photographs below a folder as phones leave them, rendered when asked
                   for: `?count=N` in all splits together, 20000 by default

`folder`, `paired` and `tfds` may end in `?split=SCHEME`: 80/10/10, 70/15/15, 80/20, or
80/20+10, which keeps a tenth of all pictures for the test and divides the rest 80/20.
Subfolders train/ and valid/, and splits that a data set comes with, are not divided
again. To take less of any source, `?first=N` has no more than N pictures in each split,
`?short=N` reduces them until their shorter side has N pixels, and `?crop=N` takes their
middles, N pixels square; `&` joins several options.

The pipeline hands out uint8 batches, of which number N depends on the seed and N alone;
everything done to pixels as numbers happens on the device, in `kdsharp.core`. Or the
pictures lie in the device's memory, on `sheets`, and `crops` cuts such batches there.
"""
