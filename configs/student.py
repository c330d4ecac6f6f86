"""The student: DnCNN of 8 layers and 32 filters, distilled from the 17-layer teacher.

    python -m kdsharp.main --config=configs/student.py          # seven minutes
    python -m kdsharp.main --config=configs/student.py:full     # the long run

Any value can be set from the command line: `--config.batch_size=32`.
"""

from ml_collections import ConfigDict, config_dict


def get_config(variant: str = "quick") -> ConfigDict:
    """Returns the experiment; `variant` is `quick` or `full`."""
    config = ConfigDict()
    config.name = "student"
    config.seed = 0

    config.model = config_dict.create(
        name="dncnn",
        depth=8,
        width=32,
        channels=3,
        norm_after=(3, 6),
        # Subtracted inside the network: the mean of DIV2K's photographs (EDSR, 2017).
        mean=(0.4488, 0.4371, 0.4040),
    )
    # A name of weights that ship, a file, or a run's folder, or several with commas
    # between; `self` is the student's own moving average; empty trains alone. Shares
    # are the teachers' parts in each term, alike where there are none.
    config.teacher = config_dict.create(weights="dncnn17-bicubic2", shares=())
    # Weights to begin from (a name, a file, a run's folder); empty begins anew.
    config.init = ""
    # Terms by name, as `kdsharp/core/objectives` lists them, each with its weight.
    config.objective = config_dict.create(residual_kd=1.0, mse=1.0)
    # For terms that ask: pairs of layers (`conv4:conv8`, the student's and the
    # teacher's), other views (`zoom_in/negative`), the file of VGG16's weights.
    config.features = ""
    config.views = ""
    config.vgg = ""

    config.degradation = "bicubic:2"
    config.data = config_dict.create(
        # `embedded`, `folder:PATH`, `paired:PATH` or `tfds:NAME`: see kdsharp/data.
        source="embedded",
        # What the card of the weights says of the pictures' rights.
        licence="generated pictures, no rights reserved",
        patch_size=32,
        # Pixels, at most, by which the grid of the blur is off the patch.
        grid_shift=0,
        # Crops from each picture in one epoch.
        crops_per_picture=8,
        augment="dihedral",
        # The share of crops that are cut up to three times as large and reduced.
        shrink=0.0,
        # The share of crops that are stretched until they clip: as print, as screens.
        extremes=0.0,
        # 0 loads in threads of this process, N in processes of their own.
        workers=0,
        # `host` cuts crops there, `device` in the devices' memory, which then has to
        # hold all pictures; `auto` on an accelerator where they fit, else on the host.
        placement="auto",
    )
    config.batch_size = 8
    config.epochs = 8
    # Time to train, as 90s, 20m or 1h, in place of epochs; empty counts these.
    config.budget = ""

    config.optimizer = config_dict.create(
        rule="muon",  # Or `adam`.
        learning_rate=6e-3,
        # Or `constant`, `step:EPOCHS,FACTOR`, `plateau:EVALUATIONS,FACTOR`.
        schedule="cosine",
        warmup_steps=50,
        # Added to the gradient, as in PyTorch's Adam.
        weight_decay=0.0,
        # The largest norm of a gradient; 0 lets every one pass.
        clip_norm=0.0,
        # Batches whose gradients make one update together.
        accumulate=1,
        # Decay, a step, of a moving average of the weights, which then is what is kept
        # (0.999, say); 0 keeps the weights themselves.
        average=0.0,
    )
    # Patience is counted in epochs; 0 never stops early. The best epoch is kept.
    config.stopping = config_dict.create(metric="psnr", patience=0)
    # The middles of the first validation pictures, scored after every epoch.
    config.validation = config_dict.create(size=256, pictures=20)

    config.log_every = 50
    # Steps; the end of an epoch saves in any case.
    config.checkpoint_every = 250

    # In one compiled call; 0 takes 100 on accelerators (10 from the host), 1 on CPUs.
    config.steps_per_call = 0
    config.parallel = "jit"  # Or `pmap`.
    # 0 is all there are; on a CPU, a device a core.
    config.devices = 0
    config.dtype = "float32"  # Or `bfloat16`, for computing; parameters stay float32.

    if variant == "full":
        config.epochs = 100
        config.optimizer.update(
            rule="adam",
            learning_rate=1e-4,
            weight_decay=1e-5,
            schedule="constant",
            warmup_steps=0,
        )
        config.stopping.patience = 10
    elif variant != "quick":
        raise ValueError(f"unknown variant {variant!r}; there are: quick, full")
    return config
