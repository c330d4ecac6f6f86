"""Students for video: `rt-s` and `rt-m`, on luma, at half the picture's resolution.

    python -m kdsharp.main --config=configs/zoo/real_time.py:rt-s-call \\
        --config.data.source=folder:$HOME/photographs

`bicubic2` is for comparison with published numbers: the blur's grid is the picture's,
as there, and the network makes use of that; pictures cut anywhere else gain less.
`call` is for use: of all that a poor connection does, at every strength and on any
grid, and of pictures that are sharp already. The ones that ship were trained on the
training and test lists of BSDS500, and validated on 20 of its pictures kept apart.

`rt-m` takes two runs, `rt-m-call-free` and then `rt-m-call`, which begins from it and
settles: what many layers learn freely grows until 8 bits cannot hold it. What data
those that ship saw, and for how many steps, their cards tell.
"""

from ml_collections import ConfigDict, config_dict

# Operations of a 1280x720 frame: 3.8 and 11 billion.
_SIZES = {
    "rt-s": {"depth": 5, "width": 16},
    "rt-m": {"depth": 12, "width": 16},
}
_EPOCHS = {
    "rt-s-bicubic2": 18,
    "rt-s-call": 7,
    "rt-m-bicubic2-free": 22,
    "rt-m-bicubic2": 27,
    "rt-m-call-free": 9,
    "rt-m-call": 8,
}
_DEGRADATIONS = {
    "bicubic2": {"degradation": "bicubic:2", "grid_shift": 0},
    "call": {"degradation": "video_call@0.9", "grid_shift": 8},
}
_CROPS = {"patch_size": 64, "crops_per_picture": 64, "shrink": 0.0}
# As benchmarks, which are photographs that were reduced: what `rt-m` still learns from
# when it stands still. `rt-s` has no room for it, and of calls neither learned more.
_REDUCED = {"patch_size": 96, "crops_per_picture": 36, "shrink": 1.0}
# As files of 8 bits hold it, and as published tests have it.
_EITHER = "bicubic:2/bicubic:2,exact=1"


def get_config(variant: str = "rt-s-bicubic2") -> ConfigDict:
    """Returns the experiment; `variant` is the name of the weights."""
    if variant not in _EPOCHS:
        raise ValueError(
            f"unknown variant {variant!r}; there are: {', '.join(_EPOCHS)}"
        )
    size, _, blur = variant.removesuffix("-free").rpartition("-")
    settles = f"{variant}-free" in _EPOCHS
    reduced = variant == "rt-m-bicubic2"
    crops = _REDUCED if reduced else _CROPS
    config = ConfigDict()
    config.name = variant
    config.seed = 0

    config.model = config_dict.create(
        name="real_time",
        channels=1,
        factor=2,
        # Of the first and the last convolution.
        ends=3,
        # Between them: `plain`, `separable`, or `expanded`, which is trained wide and
        # stored as plain.
        convolution="expanded" if size == "rt-s" else "plain",
        # A way around the middle, and slopes that are learned: see search.py.
        skip=False,
        slope=0.1,
        learned_slope=False,
        **_SIZES[size],
    )
    # Empty trains alone; see configs/student.py for what else there is.
    config.teacher = config_dict.create(weights="", shares=())
    config.init = f"runs/{variant}-free" if settles else ""
    # By `psnr` a decibel counts as much where the blur is mild as where it is strong.
    config.objective = (
        config_dict.create(l1=1.0)
        if blur == "bicubic2"
        else config_dict.create(psnr=1.0)
    )
    config.features = ""
    config.views = ""
    config.vgg = ""

    config.degradation = _EITHER if reduced else _DEGRADATIONS[blur]["degradation"]
    config.data = config_dict.create(
        source="folder:photographs",
        licence="BSDS500: non-commercial research and education",
        patch_size=crops["patch_size"],
        # So many pixels, at most, the blur's grid is off the patch.
        grid_shift=_DEGRADATIONS[blur]["grid_shift"],
        # Crops from each picture in one epoch.
        crops_per_picture=crops["crops_per_picture"],
        augment="dihedral",
        # The share of crops that are cut up to three times as large and reduced.
        shrink=crops["shrink"],
        # The share of crops that are stretched until they clip: as print, as screens.
        extremes=0.1,
        workers=0,
        placement="auto",
    )
    config.batch_size = 8 if reduced else 16
    # 1,710 or 1,520 steps each on 380 photographs: ten minutes to two hours on a core.
    config.epochs = _EPOCHS[variant]
    config.budget = ""

    config.optimizer = config_dict.create(
        rule="muon",
        learning_rate=3e-3 if settles else 6e-3,
        schedule="cosine",
        warmup_steps=100,
        # From the first step on, networks learned less with it.
        weight_decay=0.5 if settles else 0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.999,
    )
    # A mean PSNR would be one of the pictures that are sharp already.
    config.stopping = config_dict.create(
        metric="psnr" if blur == "bicubic2" else "mae", patience=0
    )
    config.validation = config_dict.create(size=256, pictures=20)

    config.log_every = 100
    config.checkpoint_every = 500

    config.steps_per_call = 0
    config.parallel = "jit"
    # On a CPU one device trains networks as small as these faster than two do.
    config.devices = 1
    config.dtype = "float32"
    return config
