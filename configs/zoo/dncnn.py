"""The DnCNN teacher and student, as shipped.

    python -m kdsharp.main --config=configs/zoo/dncnn.py:dncnn8-bicubic2 \\
        --config.data.source=folder:$HOME/photographs

Both are for an accelerator, in bfloat16. The shipped `bicubic2` networks took 651
seconds (`dncnn17`) and 280 (`dncnn8`, distilled from it) on one H100 shared by two
runs. They were trained on BSDS500's 380 photographs at scales 1, 1.5 and 2 and on 41
free ones at 1.25 and 2, large photographs more often than small ones.
`dncnn8-bicubic2-alone` has no teacher. On one CPU core, with batches of 16 x 48 x 48,
`dncnn17` reached 37.15 dB on Set5 and 32.82 on Set14 in 135 minutes (by the published
protocol; the shipped one reaches 37.62 and 33.21), and `dncnn8` without a teacher 36.88
and 32.62 in 70 minutes (shipped: 37.13 and 32.85).

`call` starts from the weights of `bicubic2` and trains on the degradations of a poor
connection, at every strength and on any grid, and on pictures that are sharp already.
`dncnn17-call` took 301 seconds on the same H100 with the same photographs, and its
student, `dncnn8-call`, 61.
"""

from ml_collections import ConfigDict, config_dict

from configs import base

_NETWORKS = {"dncnn17": base.DNCNN17, "dncnn8": base.DNCNN8}
# Epochs of 1,000 steps with 421 photographs.
_EPOCHS = {
    "dncnn17-bicubic2": 35,
    "dncnn17-call": 23,
    "dncnn8-bicubic2": 49,
    "dncnn8-bicubic2-alone": 43,
    "dncnn8-call": 11,
}
_TEACHERS = {"dncnn8-bicubic2": "dncnn17-bicubic2", "dncnn8-call": "dncnn17-call"}
# By network and degradation; `call` takes an accelerator more time per crop.
_BATCHES = {"dncnn17-bicubic2": 128, "dncnn17-call": 96}
_BATCH = 64
# Batch size: crops per picture and epoch.
_CROPS = {64: 152, 96: 228, 128: 304}


def get_config(variant: str = "dncnn8-bicubic2") -> ConfigDict:
    """Creates the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _EPOCHS)
    network, blur = variant.removesuffix("-alone").split("-")
    call = blur == "call"
    teacher = _TEACHERS.get(variant, "")
    batch = _BATCHES.get(f"{network}-{blur}", _BATCH)
    config = base.get_config()
    config.name = variant
    config.model = ConfigDict(_NETWORKS[network])
    config.teacher.weights = teacher
    config.init = f"{network}-bicubic2" if call else ""
    if call:
        # With `psnr`, a decibel weighs the same for mild and for strong degradations.
        distillation = {"psnr_kd": 1.0} if teacher else {}
        config.objective = config_dict.create(psnr=1.0, **distillation)
    elif teacher:
        config.objective = config_dict.create(residual_kd=1.0, mse=1.0)
    else:
        config.objective = config_dict.create(mse=1.0)

    # Rounded to 8 bits, as in published benchmarks.
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
    # Pictures that are sharp already would dominate a mean PSNR.
    config.stopping.metric = "mae" if call else "psnr"
    config.checkpoint_every = 1000
    # Use float32 on a CPU, where bfloat16 is no faster.
    config.dtype = "bfloat16"
    return config
