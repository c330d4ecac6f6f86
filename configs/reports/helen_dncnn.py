"""`helen_dncnn`: faces, blurred by motion or out of focus; DnCNN teaches a light CNN.

    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:quick
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe runs on pairs of Helen (`kdsharp data info helen` says how they must
lie), the teacher first:

    kdsharp data prepare helen --from FOLDER
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:teacher
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:student

Without Helen, the same networks, losses, batches and blur, on photographs in the folder
`photographs` or elsewhere (`--config.data.source=folder:PATH?short=512&crop=512`), by
Muon under a cosine, minutes on an accelerator:

    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:standin-student

The report names neither optimiser nor batch nor epochs: here they are those of
`conference_dncnn`. Of its student it names the parts alone, convolution, batch norm and
ReLU: here, three of 32 filters and a last convolution, 20,355 parameters.
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
    # Weights to begin from (a name, a file, a run's folder); empty begins anew.
    config.init = ""
    # For terms of the loss that are not used here: see configs/student.py.
    config.features = ""
    config.views = ""
    config.vgg = ""

    # Of pictures that come without their blurred partners; Helen's come in pairs.
    config.degradation = "motion:3-15/defocus:1-4"
    config.data = config_dict.create(
        source="tfds:helen?split=70/15/15",
        licence="Helen: photographs of Flickr's users, collected for research",
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
    config.stopping = config_dict.create(metric="mse", patience=10)
    config.validation = config_dict.create(size=256, pictures=100)

    config.log_every = 50
    config.checkpoint_every = 250
    config.steps_per_call = 0
    config.parallel = "jit"
    config.devices = 0
    config.dtype = "float32"
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "helen_dncnn_teacher"
    config.model = config_dict.create(
        name="dncnn",
        depth=17,
        width=64,
        channels=3,
        norm_after="inner",
        # Of DIV2K's photographs (EDSR, 2017): subtracted inside the network.
        mean=(0.4488, 0.4371, 0.4040),
    )
    config.teacher = config_dict.create(weights="", shares=())
    config.objective = config_dict.create(mse=1.0)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "helen_dncnn"
    config.model = config_dict.create(
        name="light_cnn", widths=(32, 32, 32), channels=3, norm=True
    )
    # The folder that `:teacher` leaves.
    config.teacher = config_dict.create(weights="runs/helen_dncnn_teacher", shares=())
    config.objective = config_dict.create(mse=1.0, residual_kd=1.0)
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
        # Faces fill their pictures: half of the crops show twice as much.
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
    student.name, teacher.name = "helen_dncnn_quick", "teacher"
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
    student.name = "helen_dncnn_smoke"
    for config in (student, student.teacher.experiment):
        config.data.update(source="embedded?first=16&crop=96", patch_size=16)
        config.optimizer.warmup_steps = 0
        config.epochs = 2
        config.validation.size = 96
    return student
