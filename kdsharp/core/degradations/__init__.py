"""Degradations: jitted functions from sharp to blurred pictures, written as specs.

`create(spec)` returns a `Degradation`, a function `(keys, sharp) -> blurred`. Each
picture has its own random key, so the result depends on neither batch nor device. A
call is `apply(draw(keys), sharp)`: `draw` samples the random parameters, one array over
the batch for each `STEP.ARGUMENT`, and `describe` formats them for one picture.
Arguments that the spec fixes are not sampled. Sharp pictures are float in [0, 1], NHWC,
of one channel or three, of any size.

A spec is a string that needs no quotes in configs, command lines and cards:

    spec         step+step+...                       applied from left to right
    step         alternative/alternative...[@CHANCE] one of them, equally likely; CHANCE
                                                     is the probability of any at all
    alternative  NAME[:ARGUMENT,ARGUMENT...]         a step, or a named composition
    argument     VALUE or name=VALUE                 positional or by name
    value        NUMBER, LOW-HIGH or a word          a range is sampled per picture

    bicubic:2          gaussian:0.5-3+jpeg:20-90@0.8        motion:3-15/defocus:1-4
    video_call         down:2-4,area+noise:0.02+up          gaussian:2,across=0.5

Ranges are sampled uniformly, except factors and photon counts (log-uniform) and JPEG
qualities (uniform integers). Defaults are in brackets; without brackets the default is
the first of the words.

    bicubic bilinear area lanczos
               factor (2), exact        downscaled and upscaled again, as by Pillow
    down       factor (2), filter       downscaled; later steps work at the small size
    up         filter, exact            upscaled again; filters: bicubic, bilinear,
                                        area, lanczos
    gaussian   sigma (0.5-3), across, angle (0-180 with across), linear
    defocus    radius (0.5-4), linear   disc kernel
    motion     length (1-15), angle (0-180), linear    line kernel
    shake      length (1-20), linear    random path of camera shake
    noise      sigma (0-0.05), grey     Gaussian; white is 1
    shot       peak (50-1000), grey     Poisson; PEAK photons are white
    jpeg       quality (20-90), chroma  420 or 444
    halo       amount (0.5-1.5), sigma (1-2)           an unsharp mask

Lengths are in pixels (between `down` and `up`, of the small picture), angles in
degrees, counter-clockwise. Three flags are 0 or 1: `linear` blurs linear light instead
of gamma-encoded values, `grey` adds the same noise to all channels, `exact` rounds only
the small picture to 8 bits, as published super-resolution tests do. `NAMED` lists the
named compositions with their specs.

Steps that produce an 8-bit picture clip and round to 8 bits: both passes of a resize,
`jpeg`, `halo`. Blurs and noise do neither. The result is rounded to 8 bits unless the
last step is `exact`. Rounding passes gradients straight through; clipping stops them.
At borders, resizing renormalises its weights, blurs mirror the picture, and JPEG
repeats the last pixels.

Internally pictures are planes `[batch, channel, height, width]`, because resizing,
spectra and 8x8 blocks are products over rows and columns.
"""

from kdsharp.core.degradations.resampling import FILTERS, resize
from kdsharp.core.degradations.rounding import to_8_bits
from kdsharp.core.degradations.spec import NAMED, STEPS, Degradation, create

__all__ = [
    "FILTERS",
    "NAMED",
    "STEPS",
    "Degradation",
    "create",
    "resize",
    "to_8_bits",
]
