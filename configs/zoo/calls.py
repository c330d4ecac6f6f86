"""Networks for video calls, on luma, trained on the output of real encoders.

    kdsharp data prepare clips --from ~/photographs
    python -m kdsharp.main --config=configs/zoo/calls.py:rt-s-call

The architectures are those of real_time.py; `rt-xl`, the teacher, is too slow for
video. `clips:` are frames of H.264, VP8, VP9, AV1 and HEVC at 25 to 600 kbit/s, of
photographs and screens, sharp or softened by a lens, sent at full size or downscaled.
10,000 clips take 150 seconds on ten cores to prepare, and 120 MB of disk.

The networks of `_SCRATCH` learn from random weights, on an accelerator whose memory
holds the frames of all clips, 15 GB; with less memory, take fewer by `?first=N`, or
leave them on the host by `--config.data.placement=host`. `rt-s-codec`, `rt-xl-call` and
the network that `rt-m-call` begins from are older than `clips:` and saw BSDS500 too:
their cards have the recipes that they were trained by.

The others begin from a trained network, and two cores of a CPU suffice. A context is
fitted to it, so that it leaves sharp frames alone. `rt-s-call` then learns to restore
the others better, in an hour, `rt-t-call` and `rt-m-call` how much to remember. By
default they begin from the included weights; to repeat all of it, give the folder of
the first run:

    python -m kdsharp.main --config=configs/zoo/calls.py:rt-s-scratch
    python -m kdsharp.main --config=configs/zoo/calls.py:rt-s-call \\
        --config.init=runs/rt-s-scratch
"""

from ml_collections import ConfigDict, config_dict

from configs import base

# 3.8, 11 and 308 GFLOP per 1280x720 frame.
_SMALL = {"depth": 5, "width": 16, "convolution": "plain"}
_MEDIUM = {"depth": 12, "width": 16, "convolution": "plain"}
_LARGE = {"depth": 20, "width": 64, "convolution": "plain"}
_SCRATCH = {
    "rt-s-scratch": _SMALL | {"convolution": "expanded"},
    "rt-s-codec": _SMALL | {"convolution": "expanded"},
    "rt-m-scratch": _MEDIUM,
    "rt-xl-call": _LARGE,
}
# Filters of the context, which sees the whole frame and sets gains.
_CONTEXT = {"context": 12}
_FINE_TUNED = {
    "rt-s-call": _SMALL | _CONTEXT,
    "rt-t-call": _SMALL | _CONTEXT | {"memory": True},
    "rt-m-call": _MEDIUM | _CONTEXT | {"memory": True},
}
# On one H100.
_BUDGETS = {
    "rt-s-scratch": "110s",
    "rt-s-codec": "100s",
    "rt-m-scratch": "280s",
    "rt-xl-call": "330s",
}
# Without weight decay, deep networks grow values that 8-bit inference cannot hold.
_DECAY = {"rt-m-scratch": 0.1, "rt-xl-call": 0.1}


def get_config(variant: str = "rt-s-call") -> ConfigDict:
    """Creates the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _FINE_TUNED | _SCRATCH)
    config = base.get_config()
    config.name = variant
    config.model = config_dict.create(
        name="real_time",
        channels=1,
        factor=2,
        # Kernel size of the first and the last convolution.
        ends=3,
        # A skip connection around the middle layers.
        skip=variant == "rt-xl-call",
        slope=0.1,
        learned_slope=False,
    )
    # Only for tests on other pictures: clips already come in pairs.
    config.degradation = "video_call@0.9"
    config.data.update(
        source="clips:clips",
        licence="free photographs: CC0, CC BY and the Unsplash licence",
        patch_size=192,
        crops_per_picture=1,
        placement="device",
    )
    config.batch_size = 16
    config.epochs = 1
    config.optimizer.average = 0.999
    # Frames that are sharp already would dominate a mean PSNR.
    config.stopping.metric = "mae"
    config.validation.update(size=192, pictures=400)
    config.checkpoint_every = 2000
    config.devices = 1
    if variant in _SCRATCH:
        config.model.update(_SCRATCH[variant], context=0)
        _start(config, variant)
    else:
        config.model.update(_FINE_TUNED[variant])
        _go_on(config, variant)
    return config


def _start(config: ConfigDict, variant: str) -> None:
    """Trains a network from random weights, on an accelerator."""
    # With `psnr`, a decibel weighs the same for mild and for strong degradations.
    config.objective = config_dict.create(psnr=1.0)
    config.budget = _BUDGETS[variant]
    config.optimizer.update(
        learning_rate=5e-3, warmup_steps=300, weight_decay=_DECAY.get(variant, 0.0)
    )
    config.log_every = 100
    config.dtype = "bfloat16"


def _go_on(config: ConfigDict, variant: str) -> None:
    """Fits a context to a trained network and trains some layers, on a CPU."""
    config.init = "rt-s-call" if variant == "rt-t-call" else variant
    # `harm` makes a decibel lost weigh twice as much as one won.
    config.objective = config_dict.create(gain=1.0, harm=1.0)
    if config.model.get("memory"):
        # Only how much is remembered, one number.
        config.trainable = "share"
        config.objective.flicker = 3.0
        config.data.update(source="clips:clips?frames=6", placement="host")
        config.batch_size = 2
        config.budget = "150s"
        config.optimizer.update(learning_rate=6e-2, warmup_steps=20, average=0.9)
    else:
        config.trainable = "conv1,conv2,conv3,conv4,conv5"
        config.epochs = 12
        config.optimizer.update(learning_rate=2e-3, warmup_steps=200)
    config.validation.pictures = 100
    config.log_every = 250
    config.steps_per_call = 1
    config.dtype = "float32"
