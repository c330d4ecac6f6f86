"""Every setting of an experiment, with its default value.

Other configs start from this one and change what differs:

    config = base.get_config()
    config.batch_size = 32

`kdsharp train CONFIG --show` prints all values of a config; a run saves its own in
`config.json`.
"""

from collections.abc import Collection

from ml_collections import ConfigDict, config_dict

from kdsharp.errors import UserError

# The mean colour of DIV2K (EDSR, 2017), which networks subtract from their input.
MEAN_RGB = (0.4488, 0.4371, 0.4040)
# `config.model` of the default teacher and student.
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
    """Trains DnCNN of 8 layers without a teacher on generated pictures, in minutes."""
    config = ConfigDict()
    # Name of the weights, and of the work folder unless --workdir is given.
    config.name = "base"
    config.seed = 0

    # A network of kdsharp/models by its name, and its arguments.
    config.model = ConfigDict(DNCNN8)
    # `weights`: shipped weights by name, a file, a work folder, or several of these
    # separated by commas; `self` is the moving average of the student; empty trains
    # without a teacher. `shares`: the weight of each teacher (default: all equal).
    # `experiment`, in place of weights: the config of a teacher to train first.
    config.teacher = config_dict.create(weights="", shares=())
    # Initial weights: a name, a file or a work folder; `identity`, with which the
    # network returns its input; or empty for random ones.
    config.init = ""
    # Layers to train, separated by commas, such as `context`; all if empty.
    config.trainable = ""
    # Loss terms (see kdsharp/core/objectives) and their weights.
    config.objective = config_dict.create(mse=1.0)
    # Inputs of some terms. `features`: pairs of layers, the student's and the teacher's
    # (`conv4:conv8`). `views`: augmented views (`zoom_in/negative`). `vgg`: the file of
    # VGG16's weights.
    config.features = ""
    config.views = ""
    config.vgg = ""

    # How sharp pictures are blurred (see kdsharp/core/degradations).
    config.degradation = "bicubic:2"
    config.data = config_dict.create(
        # Training pictures: `embedded`, `folder:PATH`, `paired:PATH`, `tfds:NAME`, ...
        # (see kdsharp/data).
        source="embedded",
        # Licence of the pictures, which the card of the weights will state.
        licence="generated pictures, no rights reserved",
        patch_size=32,
        # Maximum offset in pixels between the grid of the degradation and the crop.
        grid_shift=0,
        # Crops of each picture per epoch.
        crops_per_picture=8,
        # `none`, `flip` (horizontal) or `dihedral` (all eight flips and rotations).
        augment="dihedral",
        # Fraction of crops that are cut up to three times as large and scaled down,
        # which makes them sharper.
        shrink=0.0,
        # Fraction of crops whose contrast is stretched until most pixels are black or
        # white, as in text and on screens.
        extremes=0.0,
        # Processes that load pictures; 0 loads them in threads of the main process.
        workers=0,
        # Where crops are cut: on the `host`, or on the `device`, whose memory must hold
        # all pictures. `auto` is `device` on an accelerator if they fit, else `host`.
        placement="auto",
    )
    config.batch_size = 8
    config.epochs = 8
    # Training time (90s, 20m, 1h) in place of epochs; empty trains for `epochs`.
    config.budget = ""

    config.optimizer = config_dict.create(
        # `muon` or `adam`.
        rule="muon",
        learning_rate=6e-3,
        # `cosine`, `constant`, `step:EPOCHS,FACTOR` or `plateau:EVALUATIONS,FACTOR`.
        schedule="cosine",
        warmup_steps=50,
        # L2 penalty, added to the gradient as in PyTorch's Adam (not decoupled).
        weight_decay=0.0,
        # Maximum norm of the gradient; 0 does not clip.
        clip_norm=0.0,
        # Gradient accumulation: batches per update.
        accumulate=1,
        # Decay of the exponential moving average of the weights, such as 0.999. The
        # average is then what is validated and saved. 0 uses the weights themselves.
        average=0.0,
    )
    # Early stopping: `patience` in epochs, 0 never stops early. The weights of the best
    # epoch by `metric` are kept in any case.
    config.stopping = config_dict.create(metric="psnr", patience=0)
    # Validation after every epoch: centre crops of `size` of the first `pictures`.
    config.validation = config_dict.create(size=256, pictures=20)

    # In steps. The end of an epoch also saves a checkpoint.
    config.log_every = 50
    config.checkpoint_every = 250
    # Steps per compiled call; 0 is 100 on accelerators (10 if batches come from the
    # host) and 1 on CPUs.
    config.steps_per_call = 0
    # `jit` or `pmap`.
    config.parallel = "jit"
    # Number of devices; 0 uses all. On a CPU, every core is a device.
    config.devices = 0
    # `float32` or `bfloat16`: what is computed in. Parameters are always float32.
    config.dtype = "float32"
    # `int8` rounds kernels and features in training as int8 inference does, so that
    # trained networks lose less by it; empty rounds nothing.
    config.rounding = ""
    # Steps to profile, as `20:30`; the trace is written to the folder `profile`.
    config.profile = ""
    # Where metrics are written besides `metrics.jsonl`: `tensorboard`, `wandb`, or both
    # separated by a comma.
    config.writers = "tensorboard"
    return config


def check_variant(variant: str, known: Collection[str]) -> None:
    """Raises a UserError unless `variant` is one of the `known` variants."""
    if variant not in known:
        raise UserError(
            f"unknown variant {variant!r}; choose one of: {', '.join(known)}"
        )
