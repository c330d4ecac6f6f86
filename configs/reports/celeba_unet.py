"""`celeba_unet`: faces of 128x128; a separable U-Net distilled from a U-Net.

    python -m kdsharp.main --config=configs/reports/celeba_unet.py:quick
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe trains on CelebA (`kdsharp data info celeba` says what to download), the
teacher first:

    kdsharp data prepare celeba --from FOLDER
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:teacher
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:student

Without CelebA: the same networks, losses, batches and blur, on photographs in the
folder `photographs` or elsewhere
(`--config.data.source=folder:PATH?short=512&crop=512`), by Muon with a cosine schedule,
in minutes on an accelerator:

    python -m kdsharp.main --config=configs/reports/celeba_unet.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:standin-student

or, in smaller batches and with losses in decibels, in 40 and 20 minutes on a CPU:

    python -m kdsharp.main --config=configs/reports/celeba_unet.py:hour-teacher
    python -m kdsharp.main --config=configs/reports/celeba_unet.py:hour-student

The report takes 8,000 faces, 6,400 of them for training, and scales them to 128x128.
Here the first 6,400 of CelebA's own training split are centre-cropped, and validation
and test pictures show other people. The teacher has 467,875 parameters (469,155 with
its batch statistics, as the report counts), the student 20,190.
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
    config.init = "identity"
    # One of the two, drawn for each picture.
    config.degradation = "gaussian:0.5-3/motion:3-15"
    config.data.update(
        source="tfds:celeba?first=6400&crop=128",
        licence="CelebA: non-commercial research only",
        patch_size=128,
    )
    config.epochs = 50
    config.stopping.metric = "ssim"
    config.validation.update(size=128, pictures=400)
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "celeba_unet_teacher"
    config.model = config_dict.create(
        name="unet", widths=(32, 64, 128), channels=3, dropout=0.3, slope=0.1
    )
    config.objective = config_dict.create(mse=0.5, ssim=0.5)
    config.batch_size = 16
    config.stopping.patience = 5
    # The report lowers the rate, but does not say when or by how much.
    config.optimizer.schedule = "plateau:2,0.5"
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "celeba_unet"
    config.model = config_dict.create(
        name="separable_unet", widths=(32, 64), refinement=8, channels=3, slope=0.1
    )
    # The work folder of `:teacher`.
    config.teacher.weights = "runs/celeba_unet_teacher"
    config.objective = config_dict.create(residual_kd=0.7, mse=0.3, ssim=0.1)
    config.batch_size = 32
    config.stopping.patience = 8
    config.optimizer.schedule = "plateau:3,0.5"
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    config = common.standin(config, pixels=512)
    # Faces fill CelebA's pictures, so half of the crops are scaled down to show up to
    # three times as much.
    config.data.update(crops_per_picture=80, shrink=0.5)
    config.optimizer.learning_rate = 2e-3
    return config


def _hour_teacher() -> ConfigDict:
    config = common.hour(_standin(_teacher()))
    # In small batches, batch norm makes brightness depend on the other crops; with less
    # momentum, running statistics make it jump from batch to batch.
    config.model.renorm = 0.99
    # In decibels, nearly sharp pictures count as much as others.
    config.objective = config_dict.create(gain=1.0, ssim=10.0)
    config.optimizer.learning_rate = 1e-3
    return config


def _hour_student() -> ConfigDict:
    config = common.hour(_standin(_student()))
    config.objective = config_dict.create(psnr_kd=1.0, gain=1.0, ssim=10.0)
    return config


def _quick() -> ConfigDict:
    student = common.quick(_student(), _teacher())
    teacher = student.teacher.experiment
    for config in (student, teacher):
        # Long motion blur needs more surroundings than 32 pixels.
        config.data.patch_size = 64
        config.batch_size = 8
        config.optimizer.update(
            rule="muon",
            learning_rate=5e-4,
            warmup_steps=20,
            # Also averages the batch statistics, which come from few pictures each.
            average=0.98,
        )
        config.epochs = 3
        config.validation.size = 256
    # In small batches, batch norm makes brightness depend on the batch's other crops;
    # with more momentum, running statistics would need more steps than these.
    teacher.model.renorm = 0.9
    # In so short a training, SSIM would be learned at the expense of brightness.
    teacher.objective = config_dict.create(mse=1.0)
    student.objective = config_dict.create(residual_kd=0.7, mse=0.3)
    student.optimizer.update(learning_rate=2e-3, average=0.99)
    return student


VARIANTS = {
    "student": _student,
    "teacher": _teacher,
    "standin-student": lambda: _standin(_student()),
    "standin-teacher": lambda: _standin(_teacher()),
    "hour-student": _hour_student,
    "hour-teacher": _hour_teacher,
    "quick": _quick,
    "smoke": lambda: common.smoke(_quick()),
}
