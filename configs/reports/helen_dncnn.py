"""`helen_dncnn`: faces with motion blur or defocus; a light CNN distilled from DnCNN.

    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:quick
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:smoke

train a teacher and its student on generated pictures, in minutes and in seconds. The
report's recipe trains on pairs of Helen (`kdsharp data info helen` describes the
folders that it expects), the teacher first:

    kdsharp data prepare helen --from FOLDER
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:teacher
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:student

Without Helen: the same networks, losses, batches and blur, on photographs in the folder
`photographs` or elsewhere (`--config.data.source=folder:PATH?short=512&crop=512`), by
Muon with a cosine schedule, in minutes on an accelerator:

    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:standin-teacher
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:standin-student

or, in smaller batches, in 40 and 20 minutes on a CPU:

    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:hour-teacher
    python -m kdsharp.main --config=configs/reports/helen_dncnn.py:hour-student

The report does not state the optimiser, the batch size or the number of epochs: here
they are those of `conference_dncnn`. Of the student it only says that it consists of
convolutions, batch norm and ReLU: here three such blocks of 32 filters and a last
convolution, 20,355 parameters.
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
    # For other pictures only: Helen's come in pairs.
    config.degradation = "motion:3-15/defocus:1-4"
    config.data.update(
        source="tfds:helen?split=70/15/15",
        licence="Helen: photographs of Flickr's users, collected for research",
    )
    config.epochs = 100
    config.optimizer.update(learning_rate=1e-4, weight_decay=1e-5)
    config.stopping.update(metric="mse", patience=10)
    config.validation.pictures = 100
    return config


def _teacher() -> ConfigDict:
    config = _common()
    config.name = "helen_dncnn_teacher"
    config.model = ConfigDict(base.DNCNN17)
    config.objective = config_dict.create(mse=1.0)
    return config


def _student() -> ConfigDict:
    config = _common()
    config.name = "helen_dncnn"
    config.model = config_dict.create(
        name="light_cnn", widths=(32, 32, 32), channels=3, norm=True
    )
    # The work folder of `:teacher`.
    config.teacher.weights = "runs/helen_dncnn_teacher"
    config.objective = config_dict.create(mse=1.0, residual_kd=1.0)
    return config


def _standin(config: ConfigDict) -> ConfigDict:
    config = common.standin(config, pixels=512)
    # Faces fill Helen's pictures, so half of the crops are scaled down to show more.
    config.data.shrink = 0.5
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
    "standin-student": lambda: _standin(_student()),
    "standin-teacher": lambda: _standin(_teacher()),
    "hour-student": lambda: common.hour(_standin(_student())),
    "hour-teacher": lambda: common.hour(_standin(_teacher())),
    "quick": _quick,
    "smoke": lambda: common.smoke(_quick()),
}
