"""`bicubic4_cnn`: photographs upscaled by 4; a plain CNN distilled from another.

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:quick
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe trains on your own photographs, in the folder `photographs` or elsewhere
(`--config.data.source=folder:PATH`), the teacher first:

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:teacher
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:student

The same in minutes on an accelerator, by Muon with a cosine schedule, on photographs
scaled down until the shorter side has 720 pixels:

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:standin-student

or, in smaller batches, in 40 and 20 minutes on a CPU:

    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:hour-teacher
    python -m kdsharp.main --config=configs/reports/bicubic4_cnn.py:hour-student

The report's student learns from the teacher alone, never from the truth. Its teacher is
frozen, and has random weights in the report's listing; here `:teacher` trains it first.
The teacher has three layers and 40,451 parameters, the student four layers of 16
filters and 5,523.
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
    # 1920x1080 scaled down to 480x270 and up again.
    config.degradation = "bicubic:4"
    config.epochs = 10
    config.stopping.metric = "ssim"
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "bicubic4_cnn_teacher"
    config.model = config_dict.create(name="plain_cnn", depth=3, width=64, channels=3)
    config.objective = config_dict.create(mse=1.0)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "bicubic4_cnn"
    config.model = config_dict.create(name="plain_cnn", depth=4, width=16, channels=3)
    # The work folder of `:teacher`.
    config.teacher.weights = "runs/bicubic4_cnn_teacher"
    config.objective = config_dict.create(residual_kd=1.0, ssim_kd=1.0)
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    return common.standin(config, pixels=720)


def _quick() -> ConfigDict:
    student = common.quick(_student(), _teacher())
    teacher = student.teacher.experiment
    for config in (student, teacher):
        config.data.crops_per_picture = 8
        config.stopping.metric = "ssim"
    teacher.epochs = 12
    student.epochs = 2
    student.optimizer.update(rule="muon", learning_rate=3e-3)
    return student


def _smoke() -> ConfigDict:
    student = common.smoke(_quick())
    for config in (student, student.teacher.experiment):
        config.data.update(patch_size=32, crops_per_picture=2)
    return student


VARIANTS = {
    "student": _student,
    "teacher": _teacher,
    "standin-student": lambda: _standin(_student()),
    "standin-teacher": lambda: _standin(_teacher()),
    "hour-student": lambda: common.hour(_standin(_student())),
    "hour-teacher": lambda: common.hour(_standin(_teacher())),
    "quick": _quick,
    "smoke": _smoke,
}
