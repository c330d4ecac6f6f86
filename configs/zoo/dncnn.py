"""The teacher and the student of the main line, as they ship.

    python -m kdsharp.main --config=configs/zoo/dncnn.py:dncnn8-bicubic2 \\
        --config.data.source=folder:$HOME/photographs

Both are for an accelerator, in bfloat16: the two of `bicubic2` that ship took one H100,
which two runs shared, 651 seconds (`dncnn17`) and 280 (`dncnn8`, distilled from it).
They saw BSDS500's 380 photographs at scales 1, 1.5 and 2 and 41 free ones at 1.25 and
2, large photographs more often than small ones. `dncnn8-bicubic2-alone` has no teacher.
On one core, 135 minutes of batches of 16 x 48 x 48 took `dncnn17` to 37.15 dB on Set5
and 32.82 on Set14 (as published; those that ship reach 37.62 and 33.21), and 70 minutes
without a teacher `dncnn8` to 36.88 and 32.62 (37.13 and 32.85).

`call` begins from `bicubic2` and goes on with all that a poor connection does, at every
strength and on any grid, and with pictures that are sharp already. `dncnn17-call` saw
the same photographs for 301 seconds of the same H100, and its student, `dncnn8-call`,
for 61.
"""

from ml_collections import ConfigDict, config_dict

from configs import base

_NETWORKS = {"dncnn17": base.DNCNN17, "dncnn8": base.DNCNN8}
# Of 1,000 steps on 421 photographs.
_EPOCHS = {
    "dncnn17-bicubic2": 35,
    "dncnn17-call": 23,
    "dncnn8-bicubic2": 49,
    "dncnn8-bicubic2-alone": 43,
    "dncnn8-call": 11,
}
_TAUGHT = {"dncnn8-bicubic2": "dncnn17-bicubic2", "dncnn8-call": "dncnn17-call"}
# By network and blur; `call` costs more of an accelerator's time a crop.
_BATCHES = {"dncnn17-bicubic2": 128, "dncnn17-call": 96}
_BATCH = 64
# Crops from each picture in one epoch.
_CROPS = {64: 152, 96: 228, 128: 304}


def get_config(variant: str = "dncnn8-bicubic2") -> ConfigDict:
    """Returns the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _EPOCHS)
    network, blur = variant.removesuffix("-alone").split("-")
    call = blur == "call"
    teacher = _TAUGHT.get(variant, "")
    batch = _BATCHES.get(f"{network}-{blur}", _BATCH)
    config = base.get_config()
    config.name = variant
    config.model = ConfigDict(_NETWORKS[network])
    config.teacher.weights = teacher
    config.init = f"{network}-bicubic2" if call else ""
    if call:
        # By `psnr` a decibel counts as much where the blur is mild as where it is
        # strong.
        taught = {"psnr_kd": 1.0} if teacher else {}
        config.objective = config_dict.create(psnr=1.0, **taught)
    elif teacher:
        config.objective = config_dict.create(residual_kd=1.0, mse=1.0)
    else:
        config.objective = config_dict.create(mse=1.0)

    # As files of 8 bits hold it, and as published tests have it.
    config.degradation = "video_call@0.9" if call else "bicubic:2/bicubic:2,exact=1"
    config.data.update(
        source="folder:photographs",
        licence="BSDS500: non-commercial research and education",
        patch_size=64,
        grid_shift=8 if call else 0,
        crops_per_picture=_CROPS[batch],
        shrink=0.0 if call else 0.5,
        extremes=0.1 if call else 0.05,
    )
    config.batch_size = batch
    config.epochs = _EPOCHS[variant]
    config.optimizer.update(
        learning_rate=3e-3 if call else 6e-3,
        warmup_steps=500,
        average=0.999,
    )
    # A mean PSNR would be one of the pictures that are sharp already.
    config.stopping.metric = "mae" if call else "psnr"
    config.checkpoint_every = 1000
    # On a CPU bfloat16 gains no time.
    config.dtype = "bfloat16"
    return config
