"""A picture for each step of the degradation grammar and each named composition."""

import functools
import io
import os

# Each example is computed once: compiling it well would take longer than it saves.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import numpy as np
import skimage.data
from PIL import Image

from kdsharp.core import degradations

# By step, what is drawn of it. A step that is missing here fails the build.
EXAMPLES = {
    "bicubic": ("bicubic:2", "bicubic:4"),
    "bilinear": ("bilinear:2", "bilinear:4"),
    "area": ("area:2", "area:4"),
    "lanczos": ("lanczos:2", "lanczos:4"),
    "down": ("down:4,area+up", "down:4,bicubic+up"),
    "up": ("down:4+up:bilinear", "down:4+up:bicubic,exact=1"),
    "gaussian": ("gaussian:1", "gaussian:3", "gaussian:3,across=0.5,angle=30"),
    "defocus": ("defocus:2", "defocus:4"),
    "motion": ("motion:7,30", "motion:15,30"),
    "shake": ("shake:10", "shake:20"),
    "noise": ("noise:0.05", "noise:0.05,grey=1"),
    "shot": ("shot:1000", "shot:50"),
    "jpeg": ("jpeg:50", "jpeg:20", "jpeg:20,chroma=444"),
    "halo": ("halo:0.5", "halo:1.5"),
}
_DRAWS = 3
_TOP, _LEFT, _SIDE, _GAP = 60, 160, 160, 4


def pictures() -> dict[str, bytes]:
    """PNG files by name: the sharp crop, then what the examples make of it."""
    missing = degradations.STEPS.keys() ^ EXAMPLES.keys()
    if missing:
        raise ValueError(f"examples and steps differ: {', '.join(sorted(missing))}")
    found = {}
    for step, specs in EXAMPLES.items():
        found[f"{step}.png"] = _strip([_sharp(), *(_blurred(s)[0] for s in specs)])
    for name in degradations.NAMED:
        found[f"{name}.png"] = _strip([_sharp(), *_blurred(name)])
    return found


def sections() -> dict[str, str]:
    """What stands on the page for the marks `steps` and `named`."""
    steps = [
        f"### {step}\n\nSharp, then {', '.join(f'`{spec}`' for spec in specs)}:\n\n"
        f"![{step}](steps/{step}.png)"
        for step, specs in EXAMPLES.items()
    ]
    named = [
        f"### {name}\n\n`{spec}`\n\nSharp, then drawn {_DRAWS} times:\n\n"
        f"![{name}](steps/{name}.png)"
        for name, spec in degradations.NAMED.items()
    ]
    return {"steps": "\n\n".join(steps), "named": "\n\n".join(named)}


@functools.cache
def _sharp() -> np.ndarray:
    picture = skimage.data.astronaut()
    crop = picture[_TOP : _TOP + _SIDE, _LEFT : _LEFT + _SIDE]
    return crop.astype(np.float32) / 255


def _blurred(spec: str) -> np.ndarray:
    """Three draws of what a spec makes of the crop."""
    keys = jax.random.split(jax.random.key(0), _DRAWS)
    return np.asarray(degradations.create(spec)(keys, np.stack([_sharp()] * _DRAWS)))


def _strip(tiles: list[np.ndarray]) -> bytes:
    gap = np.ones((_SIDE, _GAP, 3), np.float32)
    row = [part for tile in tiles for part in (tile, gap)][:-1]
    pixels = np.concatenate(row, axis=1)
    levels = (pixels.clip(0, 1) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()
