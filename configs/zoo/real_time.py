"""Students for video: `rt-s` and `rt-m`, on luma, at half the picture's resolution.

    python -m kdsharp.main --config=configs/zoo/real_time.py:rt-s-bicubic2 \\
        --config.data.source=folder:$HOME/photographs

The ones that ship were trained on the training and test lists of BSDS500, and validated
on 20 of its pictures that were kept apart.
"""

from ml_collections import ConfigDict, config_dict

# Multiply-adds of a 1280x720 frame: 1.9 and 5.4 billion.
_SIZES = {
    "rt-s": {"depth": 5, "width": 16},
    "rt-m": {"depth": 5, "width": 28},
}
_DEGRADATIONS = {"bicubic2": "bicubic:2"}


def get_config(variant: str = "rt-s-bicubic2") -> ConfigDict:
    """Returns the experiment; `variant` is the name of the weights."""
    size, _, blur = variant.rpartition("-")
    if size not in _SIZES or blur not in _DEGRADATIONS:
        known = ", ".join(f"{s}-{b}" for s in _SIZES for b in _DEGRADATIONS)
        raise ValueError(f"unknown variant {variant!r}; there are: {known}")
    config = ConfigDict()
    config.name = variant
    config.seed = 0

    config.model = config_dict.create(
        name="real_time", channels=1, factor=2, **_SIZES[size]
    )
    # Empty trains alone; see configs/student.py for what else there is.
    config.teacher = config_dict.create(weights="", shares=())
    config.init = ""
    config.objective = config_dict.create(l1=1.0)
    config.features = ""
    config.views = ""
    config.vgg = ""

    config.degradation = _DEGRADATIONS[blur]
    config.data = config_dict.create(
        source="folder:photographs",
        licence="BSDS500: non-commercial research and education",
        patch_size=64,
        # Crops from each picture in one epoch.
        crops_per_picture=64,
        augment="dihedral",
        workers=0,
    )
    config.batch_size = 16
    # 1,520 steps each on 380 photographs.
    config.epochs = 36

    config.optimizer = config_dict.create(
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=100,
        weight_decay=0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.999,
    )
    config.stopping = config_dict.create(metric="psnr", patience=0)
    config.validation = config_dict.create(size=256, pictures=20)

    config.log_every = 100
    config.checkpoint_every = 500

    config.parallel = "jit"
    config.devices = 0
    config.dtype = "float32"
    return config
