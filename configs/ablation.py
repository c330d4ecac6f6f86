"""Ablation of distillation: does it help, which kind, and by how much?

    kdsharp ablate configs/ablation.py                  # embedded pictures
    kdsharp ablate configs/ablation.py --source folder:$HOME/photographs

train the same student without a teacher and with each method, with the same seeds, for
the same number of steps on the same batches, and write a table.
"""

from ml_collections import ConfigDict, config_dict

from configs import base


def _merge(first: dict, second: dict) -> ConfigDict:
    merged = ConfigDict(first)
    merged.update(second)
    return merged


def get_config(variant: str = "full") -> ConfigDict:
    """Creates the ablation; `variant` is `full` or `smoke`."""
    base.check_variant(variant, ("full", "smoke"))
    config = ConfigDict()
    # The config that is trained, relative to this file; methods override its values.
    config.experiment = "student.py"
    config.seeds = (0, 1, 2)
    config.steps = 1440
    # Overrides for every method.
    config.common = ConfigDict(
        {
            "optimizer": {"rule": "adam", "learning_rate": 2e-3},
            "stopping": {"patience": 0},
            "log_every": 64,
            "checkpoint_every": 192,
        }
    )
    # Validations per run, of which the best one's weights are kept.
    config.evaluations = 4

    # The method that the others are compared with.
    config.baseline = "alone"
    # All methods but one have the loss to the truth with weight 1. Teachers' terms are
    # weighted to start at about its value (a mean squared error of 1e-3).
    alone = {"teacher": {"weights": ""}, "objective": {"residual_kd": 0.0}}
    config.methods = ConfigDict(
        {
            "alone": alone,
            "averaged": alone | {"optimizer": {"average": 0.99}},
            # Control: the loss functions of `ssim` and `wavelet`, but to the truth.
            "ssim_alone": _merge(alone, {"objective": {"ssim": 0.01}}),
            "wavelet_alone": _merge(alone, {"objective": {"wavelet": 0.05}}),
            # Distances to the truth and to the teacher's residual, as in student.py.
            "residual": {"objective": {"residual_kd": 1.0}},
            "teacher_only": {"objective": {"residual_kd": 1.0, "mse": 0.0}},
            "ssim": {"objective": {"residual_kd": 0.0, "ssim_kd": 0.01}},
            # FitNets: two of the student's 8 layers imitate two of the teacher's 17.
            "features": {
                "objective": {"residual_kd": 0.0, "feature_kd": 1e-3},
                "features": "conv3:conv6,conv6:conv12",
            },
            # FAKD.
            "affinity": {
                "objective": {"residual_kd": 0.0, "affinity_kd": 3e-3},
                "features": "conv3:conv6,conv6:conv12",
            },
            # DUKD.
            "views": {
                "objective": {"residual_kd": 1.0, "views_kd": 0.05},
                "views": "zoom_in/negative,zoom_out/mirror",
            },
            # MTKD.
            "wavelet": {"objective": {"residual_kd": 0.0, "wavelet_kd": 0.05}},
            # The teacher is the moving average of the student.
            "self": {
                "teacher": {"weights": "self"},
                "objective": {"residual_kd": 1.0},
                "optimizer": {"average": 0.99},
            },
        }
    )
    if variant == "smoke":
        config.seeds = (0, 1)
        config.steps = 8
        config.evaluations = 1
        config.common.update(
            data=config_dict.create(patch_size=16),
            batch_size=4,
            validation=config_dict.create(size=32, pictures=2),
        )
        for name in set(config.methods) - {"alone", "affinity"}:
            del config.methods[name]
    return config
