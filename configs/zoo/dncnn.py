"""The teacher and the student of the main line, as they ship.

    python -m kdsharp.main --config=configs/zoo/dncnn.py:dncnn8-bicubic2 \\
        --config.data.source=folder:$HOME/photographs

`call` begins from `bicubic2` and goes on with all that a poor connection does, at every
strength and on any grid, and with pictures that are sharp already. What data those that
ship saw, and for how many steps, their cards tell.
"""

from ml_collections import ConfigDict, config_dict

_NETWORKS = {
    "dncnn17": {"depth": 17, "width": 64, "norm_after": "inner"},
    "dncnn8": {"depth": 8, "width": 32, "norm_after": (3, 6)},
}
_BLURS = {
    "bicubic2": {"degradation": "bicubic:2", "grid_shift": 0},
    "call": {"degradation": "video_call@0.9", "grid_shift": 8},
}
_EPOCHS = {
    "dncnn17-bicubic2": 11,
    "dncnn17-call": 4,
    "dncnn8-bicubic2": 36,
    "dncnn8-call": 4,
}


def get_config(variant: str = "dncnn8-bicubic2") -> ConfigDict:
    """Returns the experiment; `variant` is the name of the weights."""
    network, _, blur = variant.partition("-")
    if network not in _NETWORKS or blur not in _BLURS:
        known = ", ".join(f"{n}-{b}" for n in _NETWORKS for b in _BLURS)
        raise ValueError(f"unknown variant {variant!r}; there are: {known}")
    config = ConfigDict()
    config.name = variant
    config.seed = 0

    config.model = config_dict.create(
        name="dncnn",
        channels=3,
        # Subtracted inside the network: the mean of DIV2K's photographs (EDSR, 2017).
        mean=(0.4488, 0.4371, 0.4040),
        **_NETWORKS[network],
    )
    # Empty trains alone; see configs/student.py for what else there is.
    config.teacher = config_dict.create(weights="", shares=())
    config.init = "" if blur == "bicubic2" else f"{network}-bicubic2"
    # By `psnr` a decibel counts as much where the blur is mild as where it is strong.
    config.objective = (
        config_dict.create(mse=1.0)
        if blur == "bicubic2"
        else config_dict.create(psnr=1.0)
    )
    config.features = ""
    config.views = ""
    config.vgg = ""

    config.degradation = _BLURS[blur]["degradation"]
    config.data = config_dict.create(
        source="folder:photographs",
        licence="BSDS500: non-commercial research and education",
        patch_size=48,
        # So many pixels, at most, the blur's grid is off the patch.
        grid_shift=_BLURS[blur]["grid_shift"],
        # Crops from each picture in one epoch.
        crops_per_picture=16,
        augment="dihedral",
        # The share of crops that are cut up to three times as large and reduced.
        shrink=0.0,
        # The share of crops that are stretched until they clip: as print, as screens.
        extremes=0.1,
        workers=0,
        placement="auto",
    )
    config.batch_size = 16
    # 380 steps each on 380 photographs: what one core does in two hours, and no
    # end of what these networks can learn.
    config.epochs = _EPOCHS[variant]
    config.budget = ""

    config.optimizer = config_dict.create(
        rule="muon",
        learning_rate=6e-3 if blur == "bicubic2" else 2e-3,
        schedule="cosine",
        warmup_steps=100,
        weight_decay=0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.998,
    )
    # A mean PSNR would be one of the pictures that are sharp already.
    config.stopping = config_dict.create(
        metric="psnr" if blur == "bicubic2" else "mae", patience=0
    )
    config.validation = config_dict.create(size=256, pictures=20)

    config.log_every = 50
    config.checkpoint_every = 190

    config.steps_per_call = 0
    config.parallel = "jit"
    config.devices = 0
    config.dtype = "float32"
    return config
