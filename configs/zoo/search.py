"""Which network for video? Candidates at about the same operations, trained alike.

    kdsharp ablate configs/zoo/search.py:rt-s --source folder:$HOME/photographs

`rt-s` may take 4 billion floating-point operations for a frame of 1280x720, `rt-m` 12.
"""

from ml_collections import ConfigDict

_PLAIN = {
    "depth": 5,
    "width": 16,
    "convolution": "plain",
    "skip": False,
    "learned_slope": False,
}
_RICH = {"skip": True, "learned_slope": True}
_BEST = {"convolution": "expanded", **_RICH}

_CANDIDATES = {
    "rt-s": {
        "plain": {},
        "learned_slope": {"learned_slope": True},
        "skip": {"skip": True},
        "expanded": {"convolution": "expanded"},
        "all": _BEST,
        "thin6x14": {"depth": 6, "width": 14, **_BEST},
        "thin7x12": {"depth": 7, "width": 12, **_BEST},
        "thin9x10": {"depth": 9, "width": 10, **_BEST},
        "wide3x24": {"depth": 3, "width": 24, **_BEST},
        "ends5_4x16": {"depth": 4, "ends": 5, **_BEST},
        "quarter6x26": {"factor": 4, "depth": 6, "width": 26, **_BEST},
        "separable9x24": {
            "depth": 9,
            "width": 24,
            "convolution": "separable",
            **_RICH,
        },
    },
    "rt-m": {
        "plain": {"width": 28},
        "all5x28": {"width": 28, **_BEST},
        "all8x20": {"depth": 8, "width": 20, **_BEST},
        "all12x16": {"depth": 12, "width": 16, **_BEST},
        "quarter8x40": {"factor": 4, "depth": 8, "width": 40, **_BEST},
    },
}


def get_config(variant: str = "rt-s") -> ConfigDict:
    """Returns the comparison; `variant` is `rt-s` or `rt-m`."""
    if variant not in _CANDIDATES:
        raise ValueError(
            f"unknown variant {variant!r}; there are: {', '.join(_CANDIDATES)}"
        )
    config = ConfigDict()
    config.experiment = "real_time.py"
    config.seeds = (0,)
    config.steps = 1500
    config.evaluations = 3
    # On a CPU one device trains networks as small as these faster than two do.
    config.common = ConfigDict({"devices": 1, "model": _PLAIN})
    config.baseline = "plain"
    config.methods = ConfigDict(
        {name: {"model": model} for name, model in _CANDIDATES[variant].items()}
    )
    return config
