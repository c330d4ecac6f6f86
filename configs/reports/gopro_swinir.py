"""`gopro_swinir`: frames of a moving camera; encoder-decoder distilled from SwinIR.

    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:quick
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds, with a
smaller SwinIR and no perceptual loss. The report's recipe trains on GoPro (`kdsharp
data info gopro` says what to download), on an accelerator. Its teacher starts from
published weights, and its perceptual loss needs VGG16:

    kdsharp data prepare gopro --from FOLDER
    curl -LO https://download.pytorch.org/models/vgg16-397923af.pth
    curl -LO https://github.com/JingyunLiang/SwinIR/releases/download/v0.0/\
006_colorDN_DFWB_s128w8_SwinIR-M_noise15.pth
    kdsharp weights import --arch swinir 006_colorDN_DFWB_s128w8_SwinIR-M_noise15.pth \
swinir.safetensors
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:teacher
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:student

Without GoPro, published weights and VGG16: the same networks and batches, with L1
alone, on photographs in the folder `photographs` or elsewhere
(`--config.data.source=folder:PATH?short=720&crop=720`), blurred by camera shake or
degraded by a video call of low bandwidth, by Muon with a cosine schedule, in minutes on
an accelerator:

    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:standin-student

or, in smaller batches and with losses in decibels, in 40 and 20 minutes on a CPU:

    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:hour-teacher
    python -m kdsharp.main --config=configs/reports/gopro_swinir.py:hour-student

The published SwinIR without upscaling removes noise or JPEG artifacts, not blur: hence
`:teacher` fine-tunes it with the report's loss to the truth. The teacher has 11,504,163
parameters, the student 503,683.
"""

from ml_collections import ConfigDict, config_dict

from configs import base
from configs.reports import common


def get_config(variant: str = "student") -> ConfigDict:
    """Creates one of the experiments that the module's docstring lists."""
    base.check_variant(variant, VARIANTS)
    return VARIANTS[variant]()


def _common() -> ConfigDict:
    config = common.get_config()
    # Weights for the perceptual loss: torchvision's file.
    config.vgg = "vgg16-397923af.pth"
    # For other pictures only: GoPro's come in pairs, with their own blur.
    config.degradation = "video_call"
    config.data.update(source="tfds:gopro", licence="GoPro: CC BY 4.0", patch_size=64)
    config.batch_size = 4
    config.epochs = 30
    # The report halves the rate every 50 epochs, but ends after 30.
    config.optimizer.update(learning_rate=1e-4, schedule="step:50,0.5")
    config.stopping.metric = "ssim"
    config.validation.pictures = 100
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
    config.objective = config_dict.create(l1=1.0, perceptual=0.01)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "gopro_swinir"
    config.init = "identity"
    config.model = config_dict.create(name="encoder_decoder", width=64, channels=3)
    # The work folder of `:teacher`.
    config.teacher.weights = "runs/gopro_swinir_teacher"
    config.objective = config_dict.create(
        l1=1.0, perceptual=0.01, l1_kd=1.0, perceptual_kd=0.01
    )
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    config = common.standin(config, pixels=720)
    config.data.update(crops_per_picture=16, shrink=0.0)
    config.optimizer.learning_rate = 2e-3
    config.stopping.metric = "psnr"
    config.validation.size = 256
    # Camera shake, as in GoPro, or a video call of low bandwidth.
    config.degradation = "shake:3-20/video_call"
    # Neither published weights nor VGG16.
    config.init = "identity" if config.teacher.weights else ""
    config.vgg = ""
    for term in ("perceptual", "perceptual_kd"):
        if term in config.objective:
            del config.objective[term]
    return config


def _hour_teacher() -> ConfigDict:
    config = common.hour(_standin(_teacher()))
    # A picture of 64x64 takes a core seven seconds.
    config.data.patch_size = 48
    config.batch_size = 1
    # Texture in place of the perceptual loss.
    config.objective = config_dict.create(psnr=1.0, ssim=10.0)
    return config


def _hour_student() -> ConfigDict:
    config = common.hour(_standin(_student()))
    # The teacher takes most of the time.
    config.data.patch_size = 48
    config.batch_size = 2
    config.objective = config_dict.create(psnr_kd=1.0, gain=1.0, ssim=10.0)
    # Higher rates destroy the identity that the student starts as.
    config.optimizer.learning_rate = 4e-4
    return config


def _quick() -> ConfigDict:
    student = common.quick(_student(), _teacher())
    teacher = student.teacher.experiment
    for config in (student, teacher):
        config.data.update(patch_size=64, crops_per_picture=1)
        config.optimizer.update(rule="muon", learning_rate=1e-3, average=0.98)
        config.vgg = ""
    teacher.init = ""
    teacher.model.update(depths=(2, 2), width=24, heads=(2, 2))
    # SSIM in place of the perceptual loss; with less, the student smooths texture.
    teacher.objective = config_dict.create(l1=1.0, ssim=1.0)
    teacher.epochs = 9
    teacher.optimizer.learning_rate = 3e-3
    student.objective = config_dict.create(l1=1.0, ssim=1.0, l1_kd=1.0)
    student.epochs = 5
    # Higher rates destroy the identity that the student starts as.
    student.optimizer.learning_rate = 4e-4
    return student


def _smoke() -> ConfigDict:
    student = common.smoke(_quick())
    student.teacher.experiment.model.update(depths=(2,), width=12, heads=(2,))
    return student


VARIANTS = {
    "student": _student,
    "teacher": _teacher,
    "standin-student": lambda: _standin(_student()),
    "standin-teacher": lambda: _standin(_teacher()),
    "hour-student": _hour_student,
    "hour-teacher": _hour_teacher,
    "quick": _quick,
    "smoke": _smoke,
}
