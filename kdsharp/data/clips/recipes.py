"""Recipes of clips: all random choices, sampled from a seed and a number.

A recipe is plain data, stored as JSON beside the stream. Lengths are in pixels of the
clip, times in frames.
"""

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from kdsharp.data import splits

WIDTH, HEIGHT, FRAMES = 320, 192, 32
# Training, validation and test, by the names of photographs.
SPLIT = "90/5/5"
_SPLITS = {"train": 0.9, "valid": 0.05, "test": 0.05}

# Video frames are downscaled by at least this factor, which removes their own
# artefacts.
MIN_DOWNSCALE = 1.5

_KINDS = {"photo": 0.55, "portrait": 0.27, "screen": 0.18}
# Fraction of scenes that are videos, if there are videos.
_VIDEO = 0.4
_CODECS = {"h264": 36, "vp8": 26, "vp9": 14, "av1": 10, "hevc": 8, "none": 6}
_MOTIONS = {"still": 0.38, "pan": 0.34, "shake": 0.16, "zoom": 0.12}
_LENSES = {"none": 0.46, "gaussian": 0.38, "disc": 0.09, "line": 0.07}
# The shortest side that an encoder supports.
_MIN_SIDE = {"av1": 64}
# Candidate windows on a photograph, since many show only sky or wall.
_PLACES = 4
# Bits per pixel: 25 to 600 kbit/s at sizes from 360p to 720p and below.
_BITS = (0.006, 0.3)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The scene, camera and codec of a clip, and the scaler of its player."""

    index: int
    split: str
    scene: Mapping[str, Any]
    camera: Mapping[str, Any]
    codec: Mapping[str, Any]
    player: str

    def to_json(self) -> dict[str, Any]:
        """Converts the recipe to JSON-compatible data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Recipe":
        """Creates a recipe from `to_json` data."""
        return cls(**fields)


def draw(
    seed: int, index: int, photographs: Sequence[str], videos: Sequence[str] = ()
) -> Recipe:
    """Samples the recipe of clip `index`.

    Photographs and videos are split by name; a split without photographs gets no clips.
    """
    rng = random.Random(f"{seed}/{index}")
    by_split, moving = _by_split(photographs), _by_split(videos)
    filled = {name: share for name, share in _SPLITS.items() if by_split[name]}
    split = _choose(rng, filled)
    names = by_split[split], moving[split]
    scene = _scene(rng, *names)
    if rng.random() < 0.08:
        scene |= {"cut": rng.randint(6, 26), "next": _scene(rng, *names)}
    return Recipe(
        index=index,
        split=split,
        scene=scene,
        camera=_camera(rng, scene),
        codec=_codec(rng),
        player=_choose(rng, {"BILINEAR": 60, "BICUBIC": 30, "LANCZOS": 10}),
    )


def _by_split(names: Sequence[str]) -> dict[str, list[str]]:
    """Groups names by split."""
    by_split = {split: [] for split in _SPLITS}
    for name in names:
        by_split[splits.hashed_split(name, SPLIT)].append(name)
    return by_split


def _scene(
    rng: random.Random, names: Sequence[str], videos: Sequence[str]
) -> dict[str, Any]:
    if videos and rng.random() < _VIDEO:
        return {
            "kind": "video",
            "file": rng.choice(videos),
            "from": rng.random(),
            "scale": _log_uniform(rng, MIN_DOWNSCALE, 3.5),
            "at": [rng.random(), rng.random()],
            "flip": rng.random() < 0.5,
            "pan": [0, 0],
        }
    kind = _choose(rng, _KINDS)
    if kind == "screen":
        return {
            "kind": kind,
            "page": rng.randrange(1 << 30),
            "at": [rng.random(), rng.random()],
            # Rows per frame; most pages stand still.
            "scroll": rng.choice((0, 0, 0, 1, 2, 4, -3, 8)),
        }
    scene = {
        "kind": kind,
        "file": rng.choice(names),
        "scale": _log_uniform(rng, 1.25, 3.5),
        **_places(rng),
        "flip": rng.random() < 0.5,
        "tone": [rng.uniform(0.7, 1.5), rng.uniform(0.6, 1)]
        if _chance(rng, 25)
        else [],
        **_motion(rng, "shake" if kind == "portrait" else None),
    }
    if kind == "portrait":
        scene |= {
            "person": {
                "file": rng.choice(names),
                "scale": _log_uniform(rng, 1.25, 3),
                **_places(rng),
                "size": [rng.uniform(0.25, 0.6), rng.uniform(0.5, 1.1)],
                "place": [rng.uniform(0.3, 0.7), rng.uniform(0.45, 0.75)],
                "sway": [rng.uniform(1, 22), rng.uniform(0.5, 8)],
                "period": [rng.uniform(18, 70), rng.uniform(14, 60)],
                "phase": [rng.uniform(0, 6.28), rng.uniform(0, 6.28)],
            }
        }
    return scene


def _places(rng: random.Random) -> dict[str, Any]:
    """Candidate windows on a photograph; the one with the most texture is shown."""
    at, *others = ([rng.random(), rng.random()] for _ in range(_PLACES))
    return {"at": at, "others": others}


def _motion(rng: random.Random, moving: str | None) -> dict[str, Any]:
    # A portrait is taken with a camera that stands still or is hand-held.
    kind = _choose(rng, _MOTIONS) if moving is None else rng.choice(("still", moving))
    speed, angle = rng.uniform(0.3, 6), rng.uniform(0, 2 * math.pi)
    whole = _chance(rng, 30)
    pan = [speed * math.cos(angle), 0.6 * speed * math.sin(angle)]
    return {
        "pan": [round(v) if whole else v for v in pan] if kind == "pan" else [0, 0],
        "shake": rng.uniform(0.2, 1.5) if kind == "shake" else 0,
        "zoom": rng.uniform(-0.006, 0.006) if kind == "zoom" else 0,
        "hand": rng.randrange(1 << 30),
    }


def _camera(rng: random.Random, scene: Mapping) -> dict[str, Any]:
    if scene["kind"] == "screen":
        return {"lens": "none", "noise": 0, "sharpen": 0}
    lens = _choose(rng, _LENSES)
    moving = scene["pan"] != [0, 0]
    if lens == "line" and not moving:
        lens = "none"
    return {
        "lens": lens,
        "sigma": rng.uniform(0.4, 2.2),
        "radius": rng.uniform(0.7, 2.5),
        "shutter": rng.uniform(0.3, 1),
        "noise": rng.uniform(0.5, 6) if _chance(rng, 25) else 0,
        "sharpen": rng.uniform(0.3, 1.2) if _chance(rng, 15) else 0,
    }


def _codec(rng: random.Random) -> dict[str, Any]:
    down = _choose(rng, {"1": 50, "some": 15, "2": 20, "more": 15})
    factor = {
        "1": 1.0,
        "2": 2.0,
        "some": rng.uniform(1.2, 2),
        "more": rng.uniform(2, 3.2),
    }[down]
    size = [2 * round(side / factor / 2) for side in (WIDTH, HEIGHT)]
    constant = _chance(rng, 25)
    bits = _log_uniform(rng, *_BITS) * size[0] * size[1] * 30
    name = _choose(rng, _CODECS)
    return {
        "name": name,
        "size": [max(_MIN_SIDE.get(name, 0), side) for side in size],
        "bits": None if constant else max(6000, round(bits)),
        "quantizer": rng.uniform(0.15, 0.95) if constant else None,
        "buffer": rng.uniform(0.4, 1.5),
        "effort": rng.randrange(3),
        "scaler": rng.choice(("BICUBIC", "AREA", "BILINEAR")),
        "lost": [rng.randint(2, FRAMES - 3)] if _chance(rng, 6) else [],
    }


def _chance(rng: random.Random, percent: float) -> bool:
    return rng.random() * 100 < percent


def _choose(rng: random.Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
