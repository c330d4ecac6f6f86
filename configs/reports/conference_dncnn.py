"""`conference_dncnn`: DnCNN for video calls, 17 layers taught to 8.

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:quick
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe runs on your own photographs, in the folder `photographs` or elsewhere
(`--config.data.source=folder:PATH?split=80/20+10`), the teacher first:

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:teacher
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:student
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:listing

The same within minutes on an accelerator, by Muon under a cosine, on photographs that
are reduced until they are 512 pixels high or wide:

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:standin-student

`:student` is the report's, 8 layers of 32 filters with batch norm after the third and
the sixth: 57,315 parameters, where the text says about 120,000. `:listing` is the other
one that its listing trains, three layers that draw the picture: 11,011.
"""

from ml_collections import ConfigDict, config_dict

VARIANTS = (
    "student",
    "teacher",
    "listing",
    "standin-student",
    "standin-teacher",
    "quick",
    "smoke",
)

# Of DIV2K's photographs (EDSR, 2017): subtracted inside the network.
_MEAN_RGB = (0.4488, 0.4371, 0.4040)


def get_config(variant: str = "student") -> ConfigDict:
    """Returns the experiment that the docstring above describes."""
    match variant:
        case "student":
            return _student()
        case "teacher":
            return _teacher()
        case "listing":
            return _listing()
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
    """Returns what teacher and students share."""
    config = ConfigDict()
    config.seed = 0
    # Weights to begin from (a name, a file, a run's folder), or `identity`: those with
    # which the network returns its input; empty begins anew.
    config.init = ""
    # For terms of the loss that are not used here: see configs/student.py.
    config.features = ""
    config.views = ""
    config.vgg = ""

    # Or `bicubic:4`: the report reduces by 0.5 or by 0.25, and enlarges again.
    config.degradation = "bicubic:2"
    config.data = config_dict.create(
        # A tenth of the photographs is kept for the test, the rest divided 80/20.
        source="folder:photographs?split=80/20+10",
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
    config.epochs = 100
    config.budget = ""
    config.optimizer = config_dict.create(
        rule="adam",
        learning_rate=1e-4,
        schedule="constant",
        warmup_steps=0,
        weight_decay=1e-5,
        clip_norm=0.0,
        accumulate=1,
        average=0.0,
    )
    # The validation loss is the mean squared error.
    config.stopping = config_dict.create(metric="mse", patience=10)
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
    config.name = "conference_dncnn_teacher"
    config.model = config_dict.create(
        name="dncnn",
        depth=17,
        width=64,
        channels=3,
        norm_after="inner",
        mean=_MEAN_RGB,
    )
    config.teacher = config_dict.create(weights="", shares=())
    config.objective = config_dict.create(mse=1.0)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "conference_dncnn"
    config.model = config_dict.create(
        name="dncnn",
        depth=8,
        width=32,
        channels=3,
        norm_after=(3, 6),
        mean=_MEAN_RGB,
    )
    # The folder that `:teacher` leaves; or the teacher that ships, `dncnn17-bicubic2`.
    config.teacher = config_dict.create(
        weights="runs/conference_dncnn_teacher", shares=()
    )
    config.objective = config_dict.create(residual_kd=1.0, mse=1.0)
    return config


def _listing() -> ConfigDict:
    config = _student()
    config.name = "conference_dncnn_listing"
    config.init = "identity"
    config.model = config_dict.create(name="plain_cnn", depth=3, width=32, channels=3)
    config.objective = config_dict.create(mse=1.0, residual_kd=0.5)
    config.optimizer.update(learning_rate=1e-3, weight_decay=0.0)
    config.epochs = 15
    config.stopping.patience = 0
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    """Returns the recipe for other photographs and minutes of an accelerator."""
    config.name += "_standin"
    config.data.update(
        # Reduced, so that pixels are sharp; scored on the middles.
        source="folder:photographs?short=512&crop=512",
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
    config.stopping.update(metric="psnr", patience=0)
    config.validation.update(size=512, pictures=20)
    if config.teacher.weights:
        config.teacher.weights += "_standin"
    return config


def _quick() -> ConfigDict:
    student, teacher = _student(), _teacher()
    student.name, teacher.name = "conference_dncnn_quick", "teacher"
    for config in (student, teacher):
        config.data.update(
            # Scored on the middles of photographs.
            source="embedded?crop=256",
            licence="generated pictures, no rights reserved",
            patch_size=32,
            crops_per_picture=2,
            augment="dihedral",
        )
        config.optimizer.update(
            learning_rate=1e-3, schedule="cosine", warmup_steps=50, weight_decay=0.0
        )
        config.stopping.update(metric="psnr", patience=0)
    teacher.epochs = 4
    student.epochs = 6
    student.optimizer.learning_rate = 2e-3
    student.teacher.weights = ""
    student.teacher.experiment = teacher
    return student


def _smoke() -> ConfigDict:
    student = _quick()
    student.name = "conference_dncnn_smoke"
    for config in (student, student.teacher.experiment):
        config.data.update(source="embedded?first=16&crop=96", patch_size=16)
        config.optimizer.warmup_steps = 0
        config.epochs = 2
        config.validation.size = 96
    return student
