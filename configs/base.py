"""Every entry of an experiment, with the values that most experiments share.

The others begin from here and show what is different:

    config = base.get_config()
    config.batch_size = 32

`kdsharp train CONFIG --show` prints the complete values of any of them, and a run keeps
its own in `config.json`.
"""

from collections.abc import Collection

from ml_collections import ConfigDict, config_dict

from kdsharp.errors import UserError

# The mean of DIV2K's photographs (EDSR, 2017), which networks subtract inside.
MEAN_RGB = (0.4488, 0.4371, 0.4040)
# The networks of the main line, `config.model` of a teacher and of its student.
DNCNN17 = {
    "name": "dncnn",
    "depth": 17,
    "width": 64,
    "channels": 3,
    "norm_after": "inner",
    "mean": MEAN_RGB,
}
DNCNN8 = DNCNN17 | {"depth": 8, "width": 32, "norm_after": (3, 6)}


def get_config() -> ConfigDict:
    """A DnCNN of 8 layers that learns alone, in minutes, from generated pictures."""
    config = ConfigDict()
    # Of the weights, and of the run's folder unless --workdir names another.
    config.name = "base"
    config.seed = 0

    # A name from kdsharp/models, and that network's own arguments.
    config.model = ConfigDict(DNCNN8)
    # A name of weights that ship, a file, a run's folder, or several of them with
    # commas between; `self` is the student's own moving average; empty trains alone.
    # `shares` are the teachers' parts in each term, all equal where there are none. An
    # `experiment` in place of weights is a teacher's whole config, trained first.
    config.teacher = config_dict.create(weights="", shares=())
    # Weights to begin from (a name, a file, a run's folder), or `identity`: those with
    # which the network returns its input. Empty begins with random ones.
    config.init = ""
    # The terms of the loss, as kdsharp/core/objectives lists them, and their weights.
    config.objective = config_dict.create(mse=1.0)
    # What some terms need: pairs of layers (`conv4:conv8`, the student's and the
    # teacher's), other views (`zoom_in/negative`), the file of VGG16's weights.
    config.features = ""
    config.views = ""
    config.vgg = ""

    # How a sharp picture is blurred: see kdsharp/core/degradations.
    config.degradation = "bicubic:2"
    config.data = config_dict.create(
        # `embedded`, `folder:PATH`, `paired:PATH`, `tfds:NAME`, ...: see kdsharp/data.
        source="embedded",
        # What the card of the weights says about the rights to the pictures.
        licence="generated pictures, no rights reserved",
        patch_size=32,
        # How many pixels, at most, the grid of the blur is off the patch.
        grid_shift=0,
        # Crops from each picture in one epoch.
        crops_per_picture=8,
        # Or `none`, `flip` (left and right); `dihedral` is all eight positions.
        augment="dihedral",
        # The share of crops that are cut up to three times as large and reduced, so
        # that they are as sharp as pixels can be.
        shrink=0.0,
        # The share of crops whose contrast is stretched until most of it clips, as in
        # print and on screens.
        extremes=0.0,
        # Processes that load pictures; 0 loads them in threads of this one.
        workers=0,
        # `host` cuts crops there, `device` in the device's memory, which has to hold
        # all pictures; `auto` is `device` on an accelerator where they fit.
        placement="auto",
    )
    config.batch_size = 8
    config.epochs = 8
    # Time to train, as 90s, 20m or 1h, in place of epochs; empty counts epochs.
    config.budget = ""

    config.optimizer = config_dict.create(
        # Or `adam`.
        rule="muon",
        learning_rate=6e-3,
        # Or `constant`, `step:EPOCHS,FACTOR`, `plateau:EVALUATIONS,FACTOR`.
        schedule="cosine",
        warmup_steps=50,
        # Added to the gradient, as in PyTorch's Adam.
        weight_decay=0.0,
        # The largest norm of a gradient; 0 does not clip.
        clip_norm=0.0,
        # Batches whose gradients make one update together.
        accumulate=1,
        # Decay per step of a moving average of the weights, which is then what is
        # scored and kept (0.999, say); 0 keeps the weights themselves.
        average=0.0,
    )
    # Patience is counted in epochs; 0 never stops early. The best epoch is kept.
    config.stopping = config_dict.create(metric="psnr", patience=0)
    # The middles of the first validation pictures, scored after every epoch.
    config.validation = config_dict.create(size=256, pictures=20)

    # Both in steps; the end of an epoch saves a checkpoint in any case.
    config.log_every = 50
    config.checkpoint_every = 250
    # Steps in one compiled call; 0 is 100 on accelerators (10 where batches come from
    # the host), 1 on CPUs.
    config.steps_per_call = 0
    # Or `pmap`.
    config.parallel = "jit"
    # 0 uses all; on a CPU every core is a device.
    config.devices = 0
    # What is computed in, or `bfloat16`; parameters stay float32.
    config.dtype = "float32"
    # Steps that are traced, as `20:30`; the trace goes to the folder `profile`.
    config.profile = ""
    # Who gets the metrics besides `metrics.jsonl`: `tensorboard`, `wandb`, or both with
    # a comma between.
    config.writers = "tensorboard"
    return config


def check_variant(variant: str, known: Collection[str]) -> None:
    """Raises a UserError for a variant that a config does not have."""
    if variant not in known:
        raise UserError(
            f"unknown variant {variant!r}; choose one of: {', '.join(known)}"
        )
