"""Settings and variants shared by the configs of the five reports.

The variants of a report:

- `teacher`, then `student`: the report's recipe;
- `standin-teacher`, then `standin-student`: the same networks on other photographs, in
  minutes on an accelerator;
- `hour-teacher`, then `hour-student`: the same in smaller batches, in 40 and 20 minutes
  on a CPU;
- `quick`: both, one after the other, on generated pictures, in minutes on a CPU;
- `smoke`: the same in seconds.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Adam at a constant rate, on photographs, one crop of each per epoch."""
    config = base.get_config()
    config.data.update(
        source="folder:photographs",
        licence="of the photographs in that folder",
        patch_size=256,
        crops_per_picture=1,
        augment="flip",
    )
    config.optimizer.update(
        rule="adam", learning_rate=1e-3, schedule="constant", warmup_steps=0
    )
    return config


def standin(config: ConfigDict, pixels: int) -> ConfigDict:
    """Changes a config to Muon with a cosine, on photographs scaled to `pixels`."""
    config.name += "_standin"
    config.data.update(
        # Scaled down, so that they are sharp; validated on centre crops.
        source=f"folder:photographs?short={pixels}&crop={pixels}",
        licence="of the photographs in that folder",
        crops_per_picture=40,
        augment="dihedral",
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
    config.stopping.patience = 0
    config.validation.update(size=512, pictures=20)
    if config.teacher.weights:
        config.teacher.weights += "_standin"
    return config


def hour(config: ConfigDict) -> ConfigDict:
    """Changes a config made by `standin` to what a CPU computes in minutes."""
    config.name = config.name.replace("_standin", "_hour")
    config.data.patch_size = 64
    config.batch_size = 8
    config.optimizer.update(warmup_steps=50, average=0.99)
    config.validation.size = 256
    config.budget = "40m"
    if config.teacher.weights:
        config.budget = "20m"
        config.teacher.weights = config.teacher.weights.replace("_standin", "_hour")
    return config


def quick(student: ConfigDict, teacher: ConfigDict) -> ConfigDict:
    """Puts the teacher's config into the student's, on generated pictures."""
    student.name, teacher.name = f"{student.name}_quick", "teacher"
    for config in (student, teacher):
        config.data.update(
            # Validated on centre crops of photographs.
            source="embedded?crop=256",
            licence="generated pictures, no rights reserved",
            patch_size=32,
            crops_per_picture=2,
            augment="dihedral",
        )
        config.optimizer.update(schedule="cosine", warmup_steps=50, weight_decay=0.0)
        config.stopping.update(metric="psnr", patience=0)
    student.teacher.weights = ""
    student.teacher.experiment = teacher
    return student


def smoke(student: ConfigDict) -> ConfigDict:
    """Changes a config made by `quick` so that it trains in seconds."""
    student.name = student.name.removesuffix("_quick") + "_smoke"
    for config in (student, student.teacher.experiment):
        config.data.update(source="embedded?first=16&crop=96", patch_size=16)
        config.optimizer.warmup_steps = 0
        config.epochs = 2
        config.validation.size = 96
    return student
