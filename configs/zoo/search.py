"""Architecture search for video: candidates of about the same cost, trained alike.

    kdsharp ablate configs/zoo/search.py:rt-s --source folder:$HOME/photographs

`rt-s` may take 4 GFLOP per 1280x720 frame, `rt-m` 12.
"""

from ml_collections import ConfigDict

from configs import base

_PLAIN = {
    "depth": 5,
    "width": 16,
    "convolution": "plain",
    "skip": False,
    "learned_slope": False,
}
# For runs of minutes on one CPU core.
_SHORT = {
    "degradation": "bicubic:2",
    "batch_size": 16,
    "data": {"patch_size": 64, "shrink": 0.0, "extremes": 0.1},
    "optimizer": {"warmup_steps": 100},
}
# At 6e-3, the best rate for Muon, Adam's networks learn to return their input.
_ADAM = {"rule": "adam", "learning_rate": 1e-3}

_CANDIDATES = {
    "rt-s": {
        "plain5x16": {},
        "expanded": {"model": {"convolution": "expanded"}},
        "learned_slope": {"model": {"learned_slope": True}},
        "skip": {"model": {"skip": True}},
        "plain6x14": {"model": {"depth": 6, "width": 14}},
        "plain7x12": {"model": {"depth": 7, "width": 12}},
        "plain9x10": {"model": {"depth": 9, "width": 10}},
        "plain3x24": {"model": {"depth": 3, "width": 24}},
        "ends5_4x16": {"model": {"depth": 4, "ends": 5}},
        "quarter6x26": {"model": {"factor": 4, "depth": 6, "width": 26}},
        "separable9x24": {
            "model": {"depth": 9, "width": 24, "convolution": "separable"}
        },
        "adam": {"optimizer": _ADAM},
        "adam_expanded": {"optimizer": _ADAM, "model": {"convolution": "expanded"}},
    },
    "rt-m": {
        "plain12x16": {"model": {"depth": 12}},
        "expanded": {"model": {"depth": 12, "convolution": "expanded"}},
        "learned_slope": {"model": {"depth": 12, "learned_slope": True}},
        "skip": {"model": {"depth": 12, "skip": True}},
        "plain8x20": {"model": {"depth": 8, "width": 20}},
        "plain5x28": {"model": {"depth": 5, "width": 28}},
        "quarter8x40": {"model": {"factor": 4, "depth": 8, "width": 40}},
        "adam": {"model": {"depth": 12}, "optimizer": _ADAM},
    },
}


def get_config(variant: str = "rt-s") -> ConfigDict:
    """Creates the ablation; `variant` is `rt-s` or `rt-m`."""
    base.check_variant(variant, _CANDIDATES)
    config = ConfigDict()
    config.experiment = "real_time.py:rt-s-bicubic2-alone"
    config.seeds = (0,)
    config.steps = 1000
    config.evaluations = 1
    # On a CPU, one device trains networks as small as these faster than two.
    config.common = ConfigDict({"devices": 1, "model": _PLAIN, **_SHORT})
    config.methods = ConfigDict(_CANDIDATES[variant])
    config.baseline = next(iter(_CANDIDATES[variant]))
    return config
