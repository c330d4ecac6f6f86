"""`conference_dncnn`: DnCNN for video calls, 8 layers distilled from 17.

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:quick
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe trains on your own photographs, in the folder `photographs` or elsewhere
(`--config.data.source=folder:PATH?split=80/20+10`), the teacher first:

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:teacher
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:student
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:listing

The same in minutes on an accelerator, by Muon with a cosine schedule, on photographs
scaled down until the shorter side has 512 pixels:

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:standin-student

or, in smaller batches, in 40 and 20 minutes on a CPU:

    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:hour-teacher
    python -m kdsharp.main --config=configs/reports/conference_dncnn.py:hour-student

`:student` is the student of the report's text: 8 layers of 32 filters with batch norm
after the third and the sixth. It has 57,315 parameters, where the text says about
120,000. `:listing` is the student of the report's listing: three layers that output the
picture itself, 11,011 parameters.
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
    # Or `bicubic:4`: the report scales down by 2 or by 4, and up again.
    config.degradation = "bicubic:2"
    # A tenth of the photographs for the test, the rest divided 80/20.
    config.data.source = "folder:photographs?split=80/20+10"
    config.epochs = 100
    config.optimizer.update(learning_rate=1e-4, weight_decay=1e-5)
    # The report stops early by the validation loss.
    config.stopping.update(metric="mse", patience=10)
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "conference_dncnn_teacher"
    config.model = ConfigDict(base.DNCNN17)
    config.objective = config_dict.create(mse=1.0)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "conference_dncnn"
    config.model = ConfigDict(base.DNCNN8)
    # The work folder of `:teacher`; or `dncnn17-bicubic2`, the shipped teacher.
    config.teacher.weights = "runs/conference_dncnn_teacher"
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
    config = common.standin(config, pixels=512)
    config.stopping.metric = "psnr"
    return config


def _quick() -> ConfigDict:
    student = common.quick(_student(), _teacher())
    teacher = student.teacher.experiment
    teacher.epochs = 4
    teacher.optimizer.learning_rate = 1e-3
    student.epochs = 6
    student.optimizer.learning_rate = 2e-3
    return student


VARIANTS = {
    "student": _student,
    "teacher": _teacher,
    "listing": _listing,
    "standin-student": lambda: _standin(_student()),
    "standin-teacher": lambda: _standin(_teacher()),
    "hour-student": lambda: common.hour(_standin(_student())),
    "hour-teacher": lambda: common.hour(_standin(_teacher())),
    "quick": _quick,
    "smoke": lambda: common.smoke(_quick()),
}
