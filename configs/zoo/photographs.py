"""Networks for photographs, in colour, trained on simulated phone pictures.

    python -m kdsharp.main --config=configs/zoo/photographs.py \\
        --config.data.source=snapshots:$HOME/photographs

`snapshots:` simulates defocus, camera shake, sensor noise, resampling on any grid,
oversharpening, and JPEG and WebP by their real encoders; some pictures stay as they
are. `rt-l-photo` restores twelve megapixels in some seconds on two cores, `rt-xl-photo`
takes fourteen times as long.

Both fit a new context to a trained network, on a CPU, so that pictures with no fault
but JPEG come back as they are. By default they begin from the included weights; to
repeat all of it, give the folder of the first run:

    python -m kdsharp.main --config=configs/zoo/photographs.py:rt-l-scratch
    python -m kdsharp.main --config=configs/zoo/photographs.py:rt-l-photo \\
        --config.init=runs/rt-l-scratch
"""

from ml_collections import ConfigDict, config_dict

from configs import base

_SIZES = {
    "rt-l-photo": {"depth": 10, "width": 24, "context": 12},
    "rt-l-scratch": {"depth": 10, "width": 24, "context": 8},
    # With a skip connection around the middle layers.
    "rt-xl-photo": {"depth": 20, "width": 64, "context": 12},
    "rt-xl-scratch": {"depth": 20, "width": 64, "context": 8},
}
# On one H100.
_BUDGETS = {"rt-l-scratch": "280s", "rt-xl-scratch": "330s"}


def get_config(variant: str = "rt-l-photo") -> ConfigDict:
    """Creates the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _SIZES)
    large = variant.startswith("rt-xl")
    config = base.get_config()
    config.name = variant
    config.model = config_dict.create(
        name="real_time",
        channels=3,
        factor=2,
        # Kernel size of the first and the last convolution.
        ends=3,
        convolution="plain",
        skip=large,
        slope=0.1,
        learned_slope=False,
        # Filters of the context branch, which sees the whole picture and sets gains.
        **_SIZES[variant],
    )
    # Only for tests on other pictures: snapshots already come in pairs.
    config.degradation = "gaussian:1.5-3" if large else "photo"
    config.data.update(
        source="snapshots:photographs",
        licence="free photographs: CC0, CC BY and the Unsplash licence",
        patch_size=192,
        crops_per_picture=1,
        placement="device",
    )
    config.batch_size = 16
    config.epochs = 1
    # Pictures that are sharp already would dominate a mean PSNR.
    config.stopping.metric = "mae"
    config.validation.pictures = 400
    config.log_every = 100
    config.checkpoint_every = 2000
    config.devices = 1
    if variant in _BUDGETS:
        _start(config, variant)
    else:
        _fit_context(config, variant)
    return config


def _start(config: ConfigDict, variant: str) -> None:
    """Trains a network from random weights, on an accelerator."""
    large = variant.startswith("rt-xl")
    # With `psnr`, a decibel weighs the same for mild and for strong degradations;
    # `ssim` keeps texture that `psnr` alone would smooth away.
    config.objective = config_dict.create(psnr=1.0, ssim=10.0)
    config.budget = _BUDGETS[variant]
    config.optimizer.update(
        learning_rate=1.5e-3 if large else 5e-3,
        warmup_steps=1000 if large else 300,
        weight_decay=0.05,
        average=0.999,
    )
    config.dtype = "bfloat16"


def _fit_context(config: ConfigDict, variant: str) -> None:
    """Fits a context to a trained network and ends, on a CPU."""
    config.init = variant
    # A decibel lost weighs four times as much as one won.
    config.objective = config_dict.create(gain=1.0, harm=3.0)
    config.trainable = "context"
    config.data.placement = "host"
    # The fit is made before the first step, which changes nothing.
    config.budget = "1s"
    config.optimizer.learning_rate = 0.0
    config.steps_per_call = 1
    config.dtype = "float32"
