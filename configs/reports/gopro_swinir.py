"""`gopro_swinir`: frames of a moving camera; SwinIR teaches an encoder-decoder.

    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:quick
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds: a
smaller SwinIR there, and no perceptual loss. The report's recipe runs on GoPro
(`kdsharp data info gopro` says what to get), on an accelerator. Its teacher begins with
published weights, its loss asks VGG16:

    kdsharp data prepare gopro --from FOLDER
    curl -LO https://download.pytorch.org/models/vgg16-397923af.pth
    curl -LO https://github.com/JingyunLiang/SwinIR/releases/download/v0.0/\
006_colorDN_DFWB_s128w8_SwinIR-M_noise15.pth
    kdsharp weights import --arch swinir 006_colorDN_DFWB_s128w8_SwinIR-M_noise15.pth \
swinir.safetensors
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:teacher
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:student

Without GoPro, published weights and VGG16, the same networks and batches, by L1 alone,
on photographs in the folder `photographs` or elsewhere
(`--config.data.source=folder:PATH?short=720&crop=720`), blurred by an unsteady hand or
sent through a narrow call; by Muon under a cosine, minutes on an accelerator:

    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:standin-student

The published SwinIR of upscale 1 takes away noise or JPEG's artifacts, not blur: hence
`:teacher` trains on from there, with the report's loss to the truth. The teacher has
11,504,163 parameters, the student 503,683.
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
    config.init = ""
    # For terms of the loss that are not used here: see configs/student.py.
    config.features = ""
    config.views = ""
    # What the perceptual loss sees with: torchvision's file.
    config.vgg = "vgg16-397923af.pth"

    # What a call of low bandwidth does to sharp pictures; GoPro's come in pairs, and
    # keep the blur that they have.
    config.degradation = "video_call"
    config.data = config_dict.create(
        source="tfds:gopro",
        licence="GoPro: CC BY 4.0",
        patch_size=64,
        # Pixels, at most, by which the grid of the blur is off the patch.
        grid_shift=0,
        crops_per_picture=1,
        augment="flip",
        shrink=0.0,
        extremes=0.0,
        workers=0,
        placement="auto",
    )
    config.batch_size = 4
    config.epochs = 30
    config.budget = ""
    config.optimizer = config_dict.create(
        rule="adam",
        learning_rate=1e-4,
        # Halved every 50 epochs, says the report, which ends after 30.
        schedule="step:50,0.5",
        warmup_steps=0,
        weight_decay=0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.0,
    )
    config.stopping = config_dict.create(metric="ssim", patience=0)
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
    config.name = "gopro_swinir_teacher"
    config.init = "swinir.safetensors"
    config.model = config_dict.create(
        name="swinir",
        depths=(6, 6, 6, 6, 6, 6),
        width=180,
        heads=(6, 6, 6, 6, 6, 6),
        window=8,
        mlp_ratio=2.0,
        channels=3,
    )
    config.teacher = config_dict.create(weights="", shares=())
    config.objective = config_dict.create(l1=1.0, perceptual=0.01)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "gopro_swinir"
    config.init = "identity"
    config.model = config_dict.create(name="encoder_decoder", width=64, channels=3)
    # The folder that `:teacher` leaves.
    config.teacher = config_dict.create(weights="runs/gopro_swinir_teacher", shares=())
    config.objective = config_dict.create(
        l1=1.0, perceptual=0.01, l1_kd=1.0, perceptual_kd=0.01
    )
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    """Returns the recipe for other photographs and minutes of an accelerator."""
    config.name += "_standin"
    config.data.update(
        # Reduced, so that pixels are sharp; scored on the middles.
        source="folder:photographs?short=720&crop=720",
        licence="of the photographs in that folder",
        crops_per_picture=16,
        augment="dihedral",
        shrink=0.0,
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
    config.stopping.metric = "psnr"
    config.validation.update(size=256, pictures=20)
    # The report's camera moves while its shutter is open, or the call is narrow.
    config.degradation = "shake:3-20/video_call"
    # Without published weights and VGG16: neither is needed to see it work.
    config.init = "identity" if config.teacher.weights else ""
    config.vgg = ""
    for term in ("perceptual", "perceptual_kd"):
        if term in config.objective:
            del config.objective[term]
    if config.teacher.weights:
        config.teacher.weights += "_standin"
    return config


def _quick() -> ConfigDict:
    student, teacher = _student(), _teacher()
    student.name, teacher.name = "gopro_swinir_quick", "teacher"
    for config in (student, teacher):
        config.data.update(
            # Scored on the middles of photographs.
            source="embedded?crop=256",
            licence="generated pictures, no rights reserved",
            crops_per_picture=1,
            augment="dihedral",
        )
        config.optimizer.update(
            rule="muon",
            learning_rate=1e-3,
            schedule="cosine",
            warmup_steps=50,
            average=0.98,
        )
        config.vgg = ""
        config.stopping.metric = "psnr"
    teacher.init = ""
    teacher.model.update(depths=(2, 2), width=24, heads=(2, 2))
    # Structure stands in for what VGG16 sees.
    teacher.objective = config_dict.create(l1=1.0, ssim=0.1)
    teacher.epochs = 6
    student.objective = config_dict.create(l1=1.0, ssim=0.1, l1_kd=1.0)
    student.epochs = 3
    student.teacher.weights = ""
    student.teacher.experiment = teacher
    return student


def _smoke() -> ConfigDict:
    student = _quick()
    student.name = "gopro_swinir_smoke"
    for config in (student, student.teacher.experiment):
        config.data.update(source="embedded?first=16&crop=96", patch_size=16)
        config.optimizer.warmup_steps = 0
        config.epochs = 2
        config.validation.size = 96
    student.teacher.experiment.model.update(depths=(2,), width=12, heads=(2,))
    return student
