"""Runs an experiment from its config to its report, as called by `kdsharp.main`."""

import dataclasses
import json
import logging
import platform
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
from ml_collections import ConfigDict

from kdsharp import config_checks, models, revision
from kdsharp.base import atomic_files, compilation, machine
from kdsharp.core import degradations, objectives
from kdsharp.data import files, sources
from kdsharp.errors import UserError
from kdsharp.evaluation import samples, table
from kdsharp.evaluation.plots import curves
from kdsharp.models import identity
from kdsharp.training import (
    feeding,
    hosts,
    loop,
    parallel,
    teaching,
    validation,
    workdir,
)
from kdsharp.training.building import create_model, trainable_layers
from kdsharp.training.logs import read_metrics
from kdsharp.training.state import init_variables
from kdsharp.training.teaching import Teacher
from kdsharp.weights import features, fold, store

logger = logging.getLogger(__name__)

# The work folder of a teacher that is trained first, below that of its student.
_TEACHER = "teacher"
# The name of the student's own moving average as a teacher.
_SELF = "self"
# Written last: a run whose folder has it is finished.
_REPORT = "report.md"
# The value of `config.init` for identity initialisation.
_IDENTITY = "identity"
_CONTEXT = "context"
# Parts that may be added to the network named by `config.init`, or replaced.
_ADDED = (_CONTEXT, "memory")
_SAMPLE_SIZE = 192
_SAMPLES = 6
_MAX_LOGGED = 10
_NO_GAIN = "the network is no better than its input"


@dataclasses.dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to train, its sources by split, and its teachers by name."""

    run: loop.Run
    pictures: dict[str, sources.Source]
    teachers: dict[str, store.Weights | None]


def set_up(config: ConfigDict) -> None:
    """Enables the compilation cache, and exposes CPU cores as devices.

    Call it before any computation.
    """
    compilation.enable_cache()
    parallel.expose_cpu_cores(config.batch_size, config.devices)


def run(config: ConfigDict, folder: Path) -> None:
    """Trains the network of a config; writes weights, report and pictures."""
    prepared = prepare(config, folder)
    with workdir.claim(folder, config):
        result = prepared.run.train()
        hosts.on_primary_host(lambda: _finish(config, folder, result, prepared))
        _log_skipped(prepared.pictures)


def _log_skipped(pictures: dict[str, sources.Source]) -> None:
    """Logs a summary of skipped pictures at the end."""
    names = sorted({name for source in pictures.values() for name in source.skipped})
    if names:
        # Worker processes log those that they skip, but not how many.
        logger.warning(
            "pictures that were skipped: %d (%s)",
            len(names),
            ", ".join(names[:_MAX_LOGGED] + ["..."] * (len(names) > _MAX_LOGGED)),
        )


def prepare(config: ConfigDict, folder: Path) -> PreparedRun:
    """Prepares the run of a config, and checks everything that it needs.

    Trains the teacher first if the config describes one.
    """
    config_checks.check(config)
    create_model(config)  # Checks the network early.
    objectives.in_use(config.objective)
    if config.teacher.get("experiment"):
        with workdir.claim(folder, config):
            _train_teacher(config, folder)
    teachers = _load_teachers(config, folder)
    initial, fits_context = _load_initial(config)
    # Every worker process has its own cache; together they get the size of one.
    cache_bytes = files.DEFAULT_CACHE_BYTES // max(1, config.data.workers)
    pictures = {
        split: sources.create(
            config.data.source,
            split,
            seed=config.seed,
            cache_bytes=cache_bytes,
            # Training pictures smaller than a patch are left out.
            min_side=feeding.patch_size(config) if split == "train" else 0,
        )
        for split in ("train", "valid", "test")
    }
    run = loop.Run(
        config,
        folder,
        sources=pictures,
        teachers=_with_shares(config, teachers),
        initial=initial,
        fits_context=fits_context,
        vgg=_load_vgg(config),
    )
    return PreparedRun(run, pictures, teachers)


def _train_teacher(config: ConfigDict, folder: Path) -> None:
    """Trains the teacher that a config describes, unless its report exists.

    If a teacher was trained but scoring failed, only the scoring is repeated.
    """
    if config.teacher.weights:
        raise UserError(
            "config.teacher has both weights and an experiment; leave one of them empty"
        )
    teacher = config.teacher.experiment
    report = folder / _TEACHER / _REPORT
    if not hosts.on_primary_host(report.exists):
        logger.info("training the teacher first: %s", teacher.name)
        run(teacher, folder / _TEACHER)
        logger.info("training the student: %s", config.name)


def _load_teachers(config: ConfigDict, folder: Path) -> dict[str, store.Weights | None]:
    """Loads the teachers by name; None stands for the student's moving average."""
    if config.teacher.get("experiment"):
        names = [str(folder / _TEACHER)]
    else:
        names = [name.strip() for name in config.teacher.weights.split(",") if name]
    teachers = {}
    for name in names:
        if name == _SELF:
            teachers[name] = None
            continue
        teacher = store.load(name, dtype=config.dtype)
        channels = teacher.card["model"].get("channels", 3)
        if channels != config.model.channels:
            raise UserError(
                f"teacher {name!r} works on {channels} channels, "
                f"config.model on {config.model.channels}"
            )
        teachers[name] = teacher
    return teachers


def _with_shares(config: ConfigDict, teachers: dict) -> list[Teacher]:
    """Combines the teachers with their weights in the distillation terms."""
    shares = tuple(config.teacher.shares) or (1 / max(1, len(teachers)),) * len(
        teachers
    )
    if len(shares) != len(teachers):
        raise UserError(
            f"config.teacher.shares has {len(shares)} numbers for {len(teachers)} "
            "teachers; give one for each, or none"
        )
    return [
        Teacher(teacher and teacher.model, teacher and teacher.variables, share)
        for teacher, share in zip(teachers.values(), shares, strict=True)
    ]


def _load_vgg(config: ConfigDict):
    """Loads VGG16 if a loss term needs it."""
    asking = objectives.needing("vgg", objectives.in_use(config.objective))
    if not asking:
        return None
    file = Path(config.vgg).expanduser()
    if not config.vgg or not file.is_file():
        raise UserError(
            f"loss term {asking[0]!r} needs VGG16's weights, and config.vgg "
            + (f"names no file ({config.vgg})" if config.vgg else "is empty")
            + ": get vgg16-397923af.pth from "
            "https://download.pytorch.org/models/vgg16-397923af.pth and give its path"
        )
    return features.load_vgg16(file, dtype=config.dtype)


def _load_initial(config: ConfigDict) -> tuple[dict | None, bool]:
    """Loads the variables to start from; None for random initialisation.

    Also tells whether a context is fitted to them: if they have none yet, or if it is
    all that is trained.
    """
    if not config.init:
        return None, False
    if config.init == _IDENTITY:
        model = create_model(config)
        return identity.initialise(model, _random_variables(config, model)), False
    initial = store.load(config.init)
    arguments = json.loads(config.model.to_json())
    given = initial.card["model"]
    parts = {part: arguments.get(part) for part in _ADDED}
    added = {part: value for part, value in parts.items() if value != given.get(part)}
    if any(added.values()) and given | added == arguments | added:
        first = _random_variables(config, create_model(config))
        params = first["params"] | initial.variables["params"]
        if _CONTEXT in added:
            params[_CONTEXT] = first["params"][_CONTEXT]
        return {**first, "params": params}, _CONTEXT in added
    if given != arguments:
        raise UserError(
            f"config.init {config.init!r} is of {given}, "
            f"config.model asks for {arguments}"
        )
    alone = trainable_layers(config) == (_CONTEXT,)
    return initial.variables, bool(given.get(_CONTEXT)) and alone


def _random_variables(config: ConfigDict, model: nn.Module) -> dict:
    return init_variables(model, config.model.channels, jax.random.key(config.seed))


def _finish(config, folder, result, prepared) -> None:
    """Writes the best network, scores it on the test pictures, and writes the report.

    The report is written last: until it exists, the same command continues here.
    """
    model = create_model(config)
    arguments, collapsed = fold.collapse(
        json.loads(config.model.to_json()), result.variables
    )
    in_pairs = "blurred" in prepared.pictures["train"][0]
    blur = store.GIVEN if in_pairs else config.degradation
    weights = folder / f"{config.name}.safetensors"
    card = _card(config, arguments, result, blur)
    if not (folder / _REPORT).exists():
        store.save(weights, collapsed, card)
        logger.info("wrote %s", weights)
    networks = _teachers_to_score(prepared.teachers)
    role = "student" if prepared.teachers else config.name
    networks[role] = (model, result.variables)
    restorers = {
        name: restorer(network, variables)
        for name, (network, variables) in networks.items()
    }
    degrade = degradations.create(config.degradation)
    test = prepared.pictures["test"]
    logger.info("scoring on %d held-out pictures", len(test))
    rows = table.score(
        (test[i] for i in range(len(test))),
        restorers,
        degrade,
        channels=config.model.channels,
        seed=config.seed,
    )
    scores = table.means(rows)
    card["scores"] = {"held-out pictures": scores} | card["scores"]
    store.save(weights, collapsed, card)
    to_count = {name: variables for name, (_, variables) in networks.items()}
    to_count[role] = collapsed
    written = table.markdown(
        scores, {name: count_parameters(v) for name, v in to_count.items()}
    )
    curves.plot(
        read_metrics(folder), result.input_scores["psnr"], folder / "curves.png"
    )
    _sample_sheet(config, restorers, degrade, test).save(folder / "samples.png")
    no_gain = validation.no_gain(scores[role], scores[table.INPUT])
    verdict = _NO_GAIN if no_gain else ""
    report = _report(config, result, written, verdict, weights, test, blur)
    atomic_files.write_text(folder / _REPORT, report)
    print(written)
    if verdict:
        logger.warning(verdict)
    print(f"\nweights   {weights}")
    for name in (_REPORT, "samples.png", "curves.png"):
        print(f"{Path(name).stem:9} {folder / name}")


def count_parameters(variables: dict) -> int:
    """Counts the trained parameters."""
    return sum(np.size(value) for value in jax.tree.leaves(variables["params"]))


def _teachers_to_score(teachers: dict) -> dict:
    """The teachers' networks, named `teacher`, or by their names if there are more."""
    found = {name: weights for name, weights in teachers.items() if weights}
    return {
        _TEACHER if len(found) == 1 else Path(name).stem: (
            weights.model,
            weights.variables,
        )
        for name, weights in found.items()
    }


def restorer(model: nn.Module, variables: dict) -> table.Restore:
    """Creates a jitted function from blurred pixels to restored ones.

    Of a window of several frames it restores the last, after all before.
    """

    def restore(blurred: jax.Array) -> jax.Array:
        if blurred.ndim == 4:
            return models.restore(model, variables, blurred)
        residuals, *_ = teaching.apply(model, variables, blurred)
        return table.last_frame(blurred) + residuals[-1:]

    return jax.jit(restore)


def _card(config, model, result, blur) -> dict:
    """Creates the card of the weights."""
    return {
        "name": config.name,
        "model": model,
        "degradation": blur,
        "data": config.data.source,
        "data_licence": config.data.licence,
        "recipe": json.loads(config.to_json()),
        "commit": revision.describe(),
        "steps": result.step,
        "training": {
            "steps": result.steps,
            "seconds": round(result.seconds),
            "placement": result.placement,
            "steps_per_call": result.steps_per_call,
        },
        "hardware": _hardware(),
        "scores": {
            "validation": {"input": result.input_scores, "network": result.scores},
        },
    }


def _hardware() -> str:
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({platform.machine()})"


def _sample_sheet(config, restorers, degrade, test):
    lines = []
    for index in range(min(_SAMPLES, len(test))):
        sharp, blurred = table.blur(
            test[index],
            degrade,
            channels=config.model.channels,
            seed=config.seed + index,
        )
        outputs = {"input": table.last_frame(blurred)}
        outputs |= {name: restore(blurred) for name, restore in restorers.items()}
        outputs["sharp"] = sharp = table.last_frame(sharp)
        crop = samples.busiest_crop(np.asarray(sharp[0]), _SAMPLE_SIZE)
        lines.append({name: np.asarray(x[0])[crop] for name, x in outputs.items()})
    return samples.grid(lines)


def _budget_note(config: ConfigDict) -> str:
    return f" of a budget of {config.budget}" if config.budget else ""


def _report(config, result, written, verdict, weights, test, blur) -> str:
    warning = f"\n**{verdict.capitalize()}.**\n" if verdict else ""
    keys = ", ".join(test[i]["key"] for i in range(min(20, len(test))))
    return f"""# {config.name}

Best of {result.steps:,} steps: step {result.step:,}, by validation \
{config.stopping.metric.upper()} ({result.scores["gain"]:+.2f} dB over the input there).
They took {result.seconds:,.0f} seconds{_budget_note(config)}, {result.steps_per_call} \
per call, with the pictures on the {result.placement}.
On {len(test)} held-out pictures ({keys}), blur: `{blur}`:

{written}
{warning}
![samples](samples.png)

![curves](curves.png)

Weights: `{weights.name}`, card: `{weights.with_suffix(".json").name}`. Trained on \
`{config.data.source}`, {_hardware()}, JAX {jax.__version__}, kdsharp \
{revision.describe()}.
Peak memory {machine.peak_memory() / 1e6:,.0f} MB.

```json
{json.dumps(json.loads(config.to_json()), indent=2)}
```
"""
