"""What a sharp picture loses on its way: sharp -> blurred, jitted, on the device.

`create(spec)` returns a `Degradation`, a function `(keys, sharp) -> blurred` with one
random key a picture, so that a picture's fate depends on neither its batch nor its
device. It is `apply(draw(keys), sharp)`: `draw` returns what chance decides, named
`STEP.ARGUMENT`, an array over the batch each, and `describe` writes it down for one
picture. What the spec fixes is not drawn. Sharp pictures are float in [0, 1], NHWC, of
one channel or three, of any size. This folder holds arithmetic alone: it opens no file.

A spec is one string, for configs, command lines and cards; it needs no quotes there:

    spec         step+step+...                       one after the other
    step         alternative/alternative...[@CHANCE] one of them, equally likely; with
                                                     CHANCE, 0 to 1, that any happens
    alternative  NAME[:ARGUMENT,ARGUMENT...]         a step, or a named composition
    argument     VALUE or name=VALUE                 by place or by name
    value        NUMBER, LOW-HIGH or a word          a range is drawn for each picture

    bicubic:2          gaussian:0.5-3+jpeg:20-90@0.8        motion:3-15/defocus:1-4
    video_call         down:2-4,area+noise:0.02+up          gaussian:2,across=0.5

Ranges are drawn uniformly, but for factors and photon counts (equal ratios are equally
likely) and JPEG qualities (whole numbers). An argument that is left out has the default
in brackets; without brackets it is the first of its words.

    bicubic bilinear area lanczos
               factor (2), exact        reduced and enlarged again, as Pillow does
    down       factor (2), filter       reduced; what follows works at the small size
    up         filter, exact            enlarged again; the filters: bicubic, bilinear,
                                        area, lanczos
    gaussian   sigma (0.5-3), across, angle (0-180 with across), linear
    defocus    radius (0.5-4), linear   a disc
    motion     length (1-15), angle (0-180), linear    a line
    shake      length (1-20), linear    the path of an unsteady hand
    noise      sigma (0-0.05), grey     Gaussian; white is 1
    shot       peak (50-1000), grey     Poisson; photons that make white
    jpeg       quality (20-90), chroma  420 or 444
    halo       amount (0.5-1.5), sigma (1-2)           an unsharp mask

Lengths are in pixels (of the small size between `down` and `up`), angles in degrees,
counter-clockwise. `linear` and `grey` are 0 or 1: blur light instead of gamma-encoded
values; noise alike in all channels. So is `exact`: the small picture alone is in 8
bits, as in published tests of super-resolution. `NAMED` holds the named compositions,
written out.

Steps that stand for an 8-bit picture clip and round to 8 bits: both passes of a resize,
`jpeg`, `halo`. Blurs and noise do neither. The result is in 8-bit values, as a network
meets pictures, but for that of `exact` resizing. Rounding passes gradients straight
through, clipping stops them.
Borders: resizes end there, blurs see the picture mirrored, JPEG its last pixels.

Inside this folder pictures are planes `[batch, channel, height, width]`: resizing,
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
