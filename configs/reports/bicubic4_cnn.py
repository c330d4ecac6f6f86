"""`bicubic4_cnn`: photographs enlarged by 4; one plain CNN imitates another.

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:quick
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe runs on your own photographs, in the folder `photographs` or elsewhere
(`--config.data.source=folder:PATH`), the teacher first:

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:teacher
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:student

The same within minutes on an accelerator, by Muon under a cosine, on photographs that
are reduced until they are 720 pixels high or wide:

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:standin-student

The report's student learns from the teacher alone, never from the truth, and its
teacher is frozen, in the listing with random weights: here `:teacher` trains it first.
Three layers, 40,451 parameters, teach four of 16 filters, 5,523.
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

    # 1920x1080 reduced to 480x270 and enlarged again.
    config.degradation = "bicubic:4"
    config.data = config_dict.create(
        source="folder:photographs",
        licence="of the photographs in that folder",
        patch_size=256,
        # Pixels, at most, by which the grid of the blur is off the patch.
        grid_shift=0,
        crops_per_picture=1,
        augment="flip",
        shrink=0.0,
        extremes=0.0,
        workers=0,
        placement="auto",
    )
    config.batch_size = 8
    config.epochs = 10
    config.budget = ""
    config.optimizer = config_dict.create(
        rule="adam",
        learning_rate=1e-3,
        schedule="constant",
        warmup_steps=0,
        weight_decay=0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.0,
    )
    config.stopping = config_dict.create(metric="ssim", patience=0)
    config.validation = config_dict.create(size=256, pictures=20)

    config.log_every = 50
    config.checkpoint_every = 250
    config.steps_per_call = 0
    config.parallel = "jit"
    config.devices = 0
    config.dtype = "float32"
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "bicubic4_cnn_teacher"
    config.model = config_dict.create(name="plain_cnn", depth=3, width=64, channels=3)
    config.teacher = config_dict.create(weights="", shares=())
    config.objective = config_dict.create(mse=1.0)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "bicubic4_cnn"
    config.model = config_dict.create(name="plain_cnn", depth=4, width=16, channels=3)
    # The folder that `:teacher` leaves.
    config.teacher = config_dict.create(weights="runs/bicubic4_cnn_teacher", shares=())
    config.objective = config_dict.create(residual_kd=1.0, ssim_kd=1.0)
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    """Returns the recipe for other photographs and minutes of an accelerator."""
    config.name += "_standin"
    config.data.update(
        # Reduced, so that pixels are sharp; scored on the middles.
        source="folder:photographs?short=720&crop=720",
        licence="of the photographs in that folder",
        crops_per_picture=40,
        augment="dihedral",
        shrink=0.5,
    )
    config.epochs = 20
    config.optimizer.update(
        rule="muon",
        learning_rate=3e-3,
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
    student.name, teacher.name = "bicubic4_cnn_quick", "teacher"
    for config in (student, teacher):
        config.data.update(
            # Scored on the middles of photographs.
            source="embedded?crop=256",
            licence="generated pictures, no rights reserved",
            patch_size=32,
            crops_per_picture=8,
            augment="dihedral",
        )
        config.optimizer.update(schedule="cosine", warmup_steps=50)
    teacher.epochs = 12
    student.epochs = 2
    student.optimizer.update(rule="muon", learning_rate=3e-3)
    student.teacher.weights = ""
    student.teacher.experiment = teacher
    return student


def _smoke() -> ConfigDict:
    student = _quick()
    student.name = "bicubic4_cnn_smoke"
    for config in (student, student.teacher.experiment):
        config.data.update(source="embedded?first=16&crop=96", crops_per_picture=2)
        config.optimizer.warmup_steps = 0
        config.epochs = 2
        config.validation.size = 96
    return student
