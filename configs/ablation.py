"""Does distillation help, which kind, and by how much?

    kdsharp ablate configs/ablation.py                  # embedded pictures
    kdsharp ablate configs/ablation.py --source folder:$HOME/photographs

trains the same student once without a teacher and once with each method, from the same
seeds, for the same number of steps on the same batches, and writes a table.
"""

from ml_collections import ConfigDict, config_dict

from configs import base


def _merged(first: dict, second: dict) -> ConfigDict:
    merged = ConfigDict(first)
    merged.update(second)
    return merged


def get_config(variant: str = "full") -> ConfigDict:
    """Returns the ablation; `variant` is `full` or `smoke`."""
    base.check_variant(variant, ("full", "smoke"))
    config = ConfigDict()
    # What is trained, beside this file; the methods below say what is changed in it.
    config.experiment = "student.py"
    config.seeds = (0, 1, 2)
    config.steps = 1440
    # Changed for every method.
    config.common = ConfigDict(
        {
            "optimizer": {"rule": "adam", "learning_rate": 2e-3},
            "stopping": {"patience": 0},
            "log_every": 64,
            "checkpoint_every": 192,
        }
    )
    # The best of so many is kept, by validation.
    config.evaluations = 4

    # What the other methods are compared with.
    config.baseline = "alone"
    # The truth has a weight of one in all but one of them; what a teacher adds is
    # weighted to begin at about the size of that (a mean squared error of 1e-3).
    alone = {"teacher": {"weights": ""}, "objective": {"residual_kd": 0.0}}
    config.methods = ConfigDict(
        {
            "alone": alone,
            "averaged": alone | {"optimizer": {"average": 0.99}},
            # Is it the teacher, or the kind of loss? The same to the truth.
            "ssim_alone": _merged(alone, {"objective": {"ssim": 0.01}}),
            "wavelet_alone": _merged(alone, {"objective": {"wavelet": 0.05}}),
            # The card's loss: the truth and the teacher's residual.
            "residual": {"objective": {"residual_kd": 1.0}},
            "teacher_only": {"objective": {"residual_kd": 1.0, "mse": 0.0}},
            "ssim": {"objective": {"residual_kd": 0.0, "ssim_kd": 0.01}},
            # FitNets: two layers of the student's eight after two of seventeen.
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
            # The student's own moving average.
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
