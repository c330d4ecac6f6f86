"""Networks for calls, on luma, taught by what real encoders leave of true frames.

    kdsharp data prepare clips --from ~/photographs
    python -m kdsharp.main --config=configs/zoo/calls.py:rt-s-call

Networks as those of real_time.py; `rt-xl`, the teacher, is too slow for video. `clips:`
are frames of H.264, VP8, VP9, AV1 and HEVC at 25 to 600 kbit/s, of photographs and
screens, softened by a lens or sharp, sent at full size or reduced.
10,000 clips take 150 seconds of ten cores to prepare and 120 MB. Their frames lie in an
accelerator's memory, 15 GB of them; where there is less, `?first=N` takes less, or
`--config.data.placement=host` leaves them where they are.

A coarse look at the whole frame (`--config.model.context=8`) gained calls nothing: 0.51
dB with it and 0.50 without, over 62 settings of codecs and rates. `rt-s-call` learned
from photographs of free licence alone; the others are older than `clips:` and saw
BSDS500 too: their cards have the recipe that they learned by.
"""

from ml_collections import ConfigDict, config_dict

from configs import base

# Operations of a 1280x720 frame: 3.8, 11 and 308 billion.
_SIZES = {
    "rt-s-call": {"depth": 5, "width": 16, "convolution": "expanded"},
    "rt-s-codec": {"depth": 5, "width": 16, "convolution": "expanded"},
    "rt-m-call": {"depth": 12, "width": 16, "convolution": "plain"},
    "rt-xl-call": {"depth": 20, "width": 64, "convolution": "plain"},
}
# On one H100.
_BUDGETS = {
    "rt-s-call": "110s",
    "rt-s-codec": "100s",
    "rt-m-call": "280s",
    "rt-xl-call": "330s",
}
# What many layers learn freely grows until 8 bits cannot hold it.
_DECAY = {"rt-s-call": 0.0, "rt-s-codec": 0.0, "rt-m-call": 0.1, "rt-xl-call": 0.1}


def get_config(variant: str = "rt-s-call") -> ConfigDict:
    """Returns the experiment; `variant` is the name of the weights."""
    base.check_variant(variant, _SIZES)
    config = base.get_config()
    config.name = variant
    config.model = config_dict.create(
        name="real_time",
        channels=1,
        factor=2,
        # Of the first and the last convolution.
        ends=3,
        # A way around the middle.
        skip=variant == "rt-xl-call",
        slope=0.1,
        learned_slope=False,
        # Filters of a coarse look at the whole frame, which sets gains.
        context=0,
        **_SIZES[variant],
    )
    # By `psnr` a decibel counts as much where the damage is mild as where it is strong.
    config.objective = config_dict.create(psnr=1.0)

    # For tests on other pictures: clips are pairs already.
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
    # In place of epochs.
    config.budget = _BUDGETS[variant]
    config.optimizer.update(
        learning_rate=5e-3,
        warmup_steps=300,
        weight_decay=_DECAY[variant],
        average=0.999,
    )
    # A mean PSNR would be one of the frames that are sharp already.
    config.stopping.metric = "mae"
    config.validation.update(size=192, pictures=400)
    config.log_every = 100
    config.checkpoint_every = 2000
    config.devices = 1
    config.dtype = "bfloat16"
    return config
