"""Training data: sources of pictures, and the pipeline that crops them into batches.

A source is a sequence with random access: `len(source)` and `source[i]`, a dict with
`key` (a stable name) and `sharp` (uint8 `[height, width, 3]`, gamma-encoded sRGB); a
source of pairs adds `blurred`, of the same shape. `sources.create(spec, split)` creates
one from a spec:

    embedded       pictures from installed packages, and generated ones
    folder:PATH    every picture below a folder
    paired:PATH    sharp pictures and blurred ones, in sharp/ and blur/
    tfds:NAME      celeba, helen or gopro, once `kdsharp data prepare NAME` has been run
    clips:PATH     frames of calls that `kdsharp data prepare clips` encoded; with
                   `?frames=N`, windows of N frames, joined along the channels
    snapshots:PATH
                   photographs below a folder, degraded on access as by phone cameras:
                   `?count=N` in all splits together, 20000 by default

`folder`, `paired` and `tfds` may end in `?split=SCHEME`: 80/10/10, 70/15/15, 80/20, or
80/20+10, which reserves 10% for testing and divides the rest 80/20. Subfolders train/
and valid/, and the official splits of a data set, are kept as they are. For a subset of
any source, `?first=N` takes at most N pictures per split, `?short=N` downscales them to
N pixels on the shorter side, and `?crop=N` takes the central N by N pixels; `&` joins
several options.

The pipeline yields uint8 batches; batch N depends on the seed and N alone. All
arithmetic on pixels happens on the device, in `kdsharp.core`. Alternatively the
pictures are kept in device memory, in an `atlas`, and `crops` cuts the batches there.
"""
