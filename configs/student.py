"""The student: DnCNN with 8 layers of 32 filters, distilled from the 17-layer teacher.

    python -m kdsharp.main --config=configs/student.py          # 7 minutes
    python -m kdsharp.main --config=configs/student.py:full     # the long run

Any value can be set on the command line, as `--config.batch_size=32`; base.py
documents them.
"""

from ml_collections import ConfigDict, config_dict

from configs import base


def get_config(variant: str = "quick") -> ConfigDict:
    """Creates the experiment; `variant` is `quick` or `full`."""
    base.check_variant(variant, ("quick", "full"))
    config = base.get_config()
    config.name = "student"
    config.model = ConfigDict(base.DNCNN8)
    config.teacher.weights = "dncnn17-bicubic2"
    config.objective = config_dict.create(residual_kd=1.0, mse=1.0)
    config.epochs = 8

    if variant == "full":
        config.epochs = 100
        config.optimizer.update(
            rule="adam",
            learning_rate=1e-4,
            weight_decay=1e-5,
            schedule="constant",
            warmup_steps=0,
        )
        config.stopping.patience = 10
    return config
