"""Networks for video calls, on luma, trained on the output of real encoders.

    kdsharp data prepare clips --from ~/photographs
    python -m kdsharp.main --config=configs/zoo/calls.py:rt-s-call

The architectures are those of real_time.py; `rt-xl`, the teacher, is too slow for
video. `clips:` are frames of H.264, VP8, VP9, AV1 and HEVC at 25 to 600 kbit/s, of
photographs and screens, sharp or softened by a lens, sent at full size or downscaled.
10,000 clips take 150 seconds on ten cores to prepare, and 120 MB of disk. Training
keeps their frames in the accelerator's memory, 15 GB; with less memory, take fewer by
`?first=N`, or leave them on the host by `--config.data.placement=host`.

A context branch, which sees the whole frame (`--config.model.context=8`), did not help:
0.51 dB with it and 0.50 without, over 62 settings of codecs and rates. `rt-s-call` was
trained on freely licensed photographs alone. So was `rt-t-call`, which remembers the
frame before: it is `rt-s-call`, fine-tuned on windows of frames by two cores of a CPU.
The others are older than `clips:` and saw BSDS500 too: their cards have the recipes
that they were trained by.
"""

from ml_collections import ConfigDict, config_dict

from configs import base

# 3.8, 11 and 308 GFLOP per 1280x720 frame.
_SIZES = {
    "rt-s-call": {"depth": 5, "width": 16, "convolution": "expanded"},
    "rt-s-codec": {"depth": 5, "width": 16, "convolution": "expanded"},
    "rt-t-call": {"depth": 5, "width": 16, "convolution": "plain", "memory": True},
    "rt-m-call": {"depth": 12, "width": 16, "convolution": "plain"},
    "rt-xl-call": {"depth": 20, "width": 64, "convolution": "plain"},
}
# On one H100, that of `rt-t-call` on two cores of a CPU.
_BUDGETS = {
    "rt-s-call": "110s",
    "rt-s-codec": "100s",
    "rt-t-call": "13m",
    "rt-m-call": "280s",
    "rt-xl-call": "330s",
}
# Without weight decay, deep networks grow values that 8-bit inference cannot hold.
_DECAY = {"rt-m-call": 0.1, "rt-xl-call": 0.1}


def get_config(variant: str = "rt-s-call") -> ConfigDict:
    """Creates the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _SIZES)
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
        # Filters of the context branch, which sees the whole frame and sets gains.
        context=0,
        **_SIZES[variant],
    )
    # `harm` makes a decibel lost weigh twice as much as one won.
    config.objective = config_dict.create(gain=1.0, harm=1.0)

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
    config.budget = _BUDGETS[variant]
    config.optimizer.update(
        learning_rate=5e-3,
        warmup_steps=300,
        weight_decay=_DECAY.get(variant, 0.0),
        average=0.999,
    )
    # Frames that are sharp already would dominate a mean PSNR.
    config.stopping.metric = "mae"
    config.validation.update(size=192, pictures=400)
    config.log_every = 100
    config.checkpoint_every = 2000
    config.devices = 1
    config.dtype = "bfloat16"
    if variant == "rt-t-call":
        _learn_from_windows(config)
    return config


def _learn_from_windows(config: ConfigDict) -> None:
    """Fine-tunes a network on windows of frames, on a CPU."""
    config.init = "rt-s-call"
    config.objective.update(harm=1.0, flicker=1.0)
    config.data.update(source="clips:clips?frames=6&first=3200", patch_size=96)
    config.batch_size = 6
    config.optimizer.update(learning_rate=2e-3, warmup_steps=200)
    config.validation.pictures = 60
    config.steps_per_call = 1
    config.log_every = 500
    config.dtype = "float32"
