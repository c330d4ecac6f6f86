"""`celeba_unet`: faces of 128x128; a U-Net teaches a separable one.

    python -m kdsharp.main --config=configs/reports/celeba_unet.py:quick
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe runs on CelebA (`kdsharp data info celeba` says what to get), the
teacher first:

    kdsharp data prepare celeba --from FOLDER
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:teacher
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:student

Without CelebA, the same networks, losses, batches and blur, on photographs in the
folder `photographs` or elsewhere
(`--config.data.source=folder:PATH?short=512&crop=512`), by Muon under a cosine, minutes
on an accelerator:

    python -m kdsharp.main --config=configs/reports/celeba_unet.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:standin-student

The report takes 8,000 faces, 6,400 of them for training, and scales them to 128x128.
Here the first 6,400 of CelebA's own training split are taken, by their middles, and
what is held out is of other people. The teacher has 467,875 parameters (469,155 with
its batch statistics, as the report counts), the student 20,190.
"""

from ml_collections import ConfigDict, config_dict

VARIANTS = (
    "student",
    "teacher",
    "standin-student",
    "standin-teacher",
    "quick",
    "smoke",
)


def get_config(variant: str = "student") -> ConfigDict:
    """Returns the experiment that the docstring above describes."""
    match variant:
        case "student":
            return _student()
        case "teacher":
            return _teacher()
        case "standin-student":
            return _standin(_student())
        case "standin-teacher":
            return _standin(_teacher())
        case "quick":
            return _quick()
        case "smoke":
            return _smoke()
    raise ValueError(f"unknown variant {variant!r}; there are: {', '.join(VARIANTS)}")


def _common() -> ConfigDict:
    """Returns what teacher and student share."""
    config = ConfigDict()
    config.seed = 0
    # Weights to begin from (a name, a file, a run's folder), or `identity`: those with
    # which the network returns its input; empty begins anew.
    config.init = "identity"
    # For terms of the loss that are not used here: see configs/student.py.
    config.features = ""
    config.views = ""
    config.vgg = ""

    # One of them, drawn for each picture.
    config.degradation = "gaussian:0.5-3/motion:3-15"
    config.data = config_dict.create(
        source="tfds:celeba?first=6400&crop=128",
        licence="CelebA: non-commercial research only",
        patch_size=128,
        # Pixels, at most, by which the grid of the blur is off the patch.
        grid_shift=0,
        crops_per_picture=1,
        augment="flip",
        shrink=0.0,
        extremes=0.0,
        workers=0,
        placement="auto",
    )
    config.epochs = 50
    config.budget = ""
    config.optimizer = config_dict.create(
        rule="adam",
        learning_rate=1e-3,
        # To be set below: lowered when validation has stood still for so long.
        schedule="",
        warmup_steps=0,
        weight_decay=0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.0,
    )
    config.stopping = config_dict.create(metric="ssim", patience=0)
    config.validation = config_dict.create(size=128, pictures=400)

    config.log_every = 50
    config.checkpoint_every = 250
    config.steps_per_call = 0
    config.parallel = "jit"
    config.devices = 0
    config.dtype = "float32"
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "celeba_unet_teacher"
    config.model = config_dict.create(
        name="unet", widths=(32, 64, 128), channels=3, dropout=0.3, slope=0.1
    )
    config.teacher = config_dict.create(weights="", shares=())
    config.objective = config_dict.create(mse=0.5, ssim=0.5)
    config.batch_size = 16
    config.stopping.patience = 5
    # The report lowers the rate, but not when nor by how much.
    config.optimizer.schedule = "plateau:2,0.5"
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "celeba_unet"
    config.model = config_dict.create(
        name="separable_unet", widths=(32, 64), refinement=8, channels=3, slope=0.1
    )
    # The folder that `:teacher` leaves.
    config.teacher = config_dict.create(weights="runs/celeba_unet_teacher", shares=())
    config.objective = config_dict.create(residual_kd=0.7, mse=0.3, ssim=0.1)
    config.batch_size = 32
    config.stopping.patience = 8
    config.optimizer.schedule = "plateau:3,0.5"
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    """Returns the recipe for other photographs and minutes of an accelerator."""
    config.name += "_standin"
    config.data.update(
        # Reduced, so that pixels are sharp; scored on the middles.
        source="folder:photographs?short=512&crop=512",
        licence="of the photographs in that folder",
        crops_per_picture=80,
        augment="dihedral",
        # Faces fill their pictures: half of the crops show up to three times as much.
        shrink=0.5,
    )
    config.epochs = 20
    config.optimizer.update(
        rule="muon",
        learning_rate=2e-3,
        schedule="cosine",
        warmup_steps=200,
        weight_decay=0.0,
        average=0.999,
    )
    config.stopping.patience = 0
    config.validation.update(size=512, pictures=20)
    if config.teacher.weights:
        config.teacher.weights += "_standin"
    return config


def _quick() -> ConfigDict:
    student, teacher = _student(), _teacher()
    student.name, teacher.name = "celeba_unet_quick", "teacher"
    for config in (student, teacher):
        config.data.update(
            # Scored on the middles of photographs.
            source="embedded?crop=256",
            licence="generated pictures, no rights reserved",
            # A long motion needs more around it than 32 pixels.
            patch_size=64,
            crops_per_picture=2,
            augment="dihedral",
        )
        config.batch_size = 8
        config.optimizer.update(
            rule="muon",
            learning_rate=5e-4,
            schedule="cosine",
            warmup_steps=20,
            # Of the batches' statistics too, each of which tells of few pictures.
            average=0.98,
        )
        config.stopping.update(metric="psnr", patience=0)
        config.validation.size = 256
    # Few crops a batch: what is left of their brightness depends on the others there.
    teacher.model.renorm = True
    # Within minutes, structure is learned at the expense of brightness.
    teacher.objective = config_dict.create(mse=1.0)
    student.objective = config_dict.create(residual_kd=0.7, mse=0.3)
    teacher.epochs = 3
    student.epochs = 3
    student.optimizer.update(learning_rate=2e-3, average=0.99)
    student.teacher.weights = ""
    student.teacher.experiment = teacher
    return student


def _smoke() -> ConfigDict:
    student = _quick()
    student.name = "celeba_unet_smoke"
    for config in (student, student.teacher.experiment):
        config.data.update(source="embedded?first=16&crop=96", patch_size=16)
        config.optimizer.warmup_steps = 0
        config.epochs = 2
        config.validation.size = 96
    return student
