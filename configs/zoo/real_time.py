"""Real-time students that work on luma at half resolution, and their teacher.

    python -m kdsharp.main --config=configs/zoo/real_time.py:rt-s-bicubic2 \\
        --config.data.source=folder:$HOME/photographs

`bicubic2` is for comparison with published numbers, in which the grid of the
downscaling is aligned with the picture. The networks make use of that: other crops gain
less. For practical use, see the networks of calls.py.

They are for an accelerator. `rt-xl` is the teacher, too slow for video; the others are
distilled from the shipped one, or `rt-s` and `rt-m` trained without a teacher by
`-alone`. The shipped networks took 330 seconds (`rt-xl`), 150 (`rt-m`) and 91 (`rt-s`)
on one H100 shared by two runs, 260 (`rt-l`) and 170 (`rt-sm`) on one H200 shared by
three. They were trained on BSDS500's 380 photographs at scales 1, 1.5 and 2 and on 41
free ones (`rt-l` and `rt-sm`: 132) at 1.25 and 2, large photographs more often than
small ones. On one CPU core, without a teacher, with batches of 16 x 64 x 64 in float32,
`rt-s` reached 36.98 dB on Set5 and 32.57 on Set14 in 15 minutes (by the published
protocol; the shipped one reaches 37.01 and 32.60), and `rt-m` 37.16 and 32.79 in 141
minutes (shipped: 37.42 and 32.96).
"""

from ml_collections import ConfigDict, config_dict

from configs import base

# 3.8, 5.8, 11, 27 and 308 GFLOP per 1280x720 frame.
_SIZES = {
    "rt-s": {"depth": 5, "width": 16},
    "rt-sm": {"depth": 7, "width": 16},
    "rt-m": {"depth": 12, "width": 16},
    "rt-l": {"depth": 8, "width": 32},
    "rt-xl": {"depth": 20, "width": 64},
}
# Epochs of 1,000 steps with 421 photographs.
_EPOCHS = {
    "rt-s-bicubic2": 15,
    "rt-s-bicubic2-alone": 24,
    "rt-sm-bicubic2": 17,
    "rt-m-bicubic2": 24,
    "rt-m-bicubic2-alone": 39,
    "rt-l-bicubic2": 24,
    "rt-xl-bicubic2": 39,
}
_TEACHER = "rt-xl-bicubic2"
# Without weight decay, deep networks grow values that 8-bit inference cannot hold.
_DECAY = {"rt-s": 0.0, "rt-sm": 0.0, "rt-m": 0.2, "rt-l": 0.1, "rt-xl": 0.1}
# The networks that are trained wide.
_EXPANDED = ("rt-s", "rt-sm")


def get_config(variant: str = "rt-s-bicubic2") -> ConfigDict:
    """Creates the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _EPOCHS)
    size = variant.removesuffix("-alone").removesuffix("-bicubic2")
    taught = variant != _TEACHER and not variant.endswith("-alone")
    config = base.get_config()
    config.name = variant
    config.model = config_dict.create(
        name="real_time",
        channels=1,
        factor=2,
        # Kernel size of the first and the last convolution.
        ends=3,
        # The convolutions between them: `plain`, `separable`, or `expanded`, which is
        # trained wide and stored as plain.
        convolution="expanded" if size in _EXPANDED else "plain",
        # A skip connection around the middle, and learned slopes: see search.py.
        skip=size == "rt-xl",
        slope=0.1,
        learned_slope=False,
        **_SIZES[size],
    )
    if taught:
        config.teacher.weights = _TEACHER
        config.objective = config_dict.create(l1=1.0, l1_kd=1.0)
    else:
        config.objective = config_dict.create(l1=1.0)

    # Rounded to 8 bits, as in published benchmarks.
    config.degradation = "bicubic:2/bicubic:2,exact=1"
    config.data.update(
        source="folder:photographs",
        licence="BSDS500: non-commercial research and education",
        patch_size=96,
        crops_per_picture=152,
        # The photographs of benchmarks were downscaled, too.
        shrink=0.5,
        extremes=0.05,
    )
    config.batch_size = 64
    config.epochs = _EPOCHS[variant]
    config.optimizer.update(
        learning_rate=4e-3 if size == "rt-xl" else 6e-3,
        warmup_steps=500,
        weight_decay=_DECAY[size],
        average=0.999,
    )
    config.log_every = 100
    config.checkpoint_every = 500
    # On a CPU, one device trains networks as small as these faster than two.
    config.devices = 1
    # Use float32 on a CPU, where bfloat16 is no faster. The shipped `rt-s` was trained
    # in float32.
    config.dtype = "float32" if size == "rt-s" else "bfloat16"
    return config
