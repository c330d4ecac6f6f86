"""Networks for photographs, in colour, trained on simulated phone pictures.

    python -m kdsharp.main --config=configs/zoo/photographs.py \\
        --config.data.source=snapshots:$HOME/photographs

`snapshots:` simulates defocus, camera shake, sensor noise, resampling on any grid,
oversharpening, and JPEG and WebP by their real encoders; some pictures stay as they
are. `rt-l-photo` restores twelve megapixels in some seconds on two cores; `rt-xl-photo`
is for an accelerator.
"""

from ml_collections import ConfigDict, config_dict

from configs import base

_SIZES = {
    "rt-l-photo": {"depth": 10, "width": 24},
    # With a skip connection around the middle layers.
    "rt-xl-photo": {"depth": 20, "width": 64},
}
# On one H100.
_BUDGETS = {"rt-l-photo": "280s", "rt-xl-photo": "330s"}


def get_config(variant: str = "rt-l-photo") -> ConfigDict:
    """Creates the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _SIZES)
    large = variant == "rt-xl-photo"
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
        context=8,
        **_SIZES[variant],
    )
    # With `psnr`, a decibel weighs the same for mild and for strong degradations;
    # `ssim` keeps texture that `psnr` alone would smooth away.
    config.objective = config_dict.create(psnr=1.0, ssim=10.0)

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
    config.budget = _BUDGETS[variant]
    config.optimizer.update(
        learning_rate=1.5e-3 if large else 5e-3,
        warmup_steps=1000 if large else 300,
        weight_decay=0.05,
        average=0.999,
    )
    # Pictures that are sharp already would dominate a mean PSNR.
    config.stopping.metric = "mae"
    config.validation.pictures = 400
    config.log_every = 100
    config.checkpoint_every = 2000
    config.devices = 1
    config.dtype = "bfloat16"
    return config
