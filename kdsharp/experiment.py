"""One experiment from its config to its report: the call behind `kdsharp.main`."""

import json
import logging
import platform
import resource
import subprocess
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from kdsharp.core import degradations
from kdsharp.data import sources
from kdsharp.errors import UserError
from kdsharp.evaluation import curves, samples, table
from kdsharp.training import loop, workdir
from kdsharp.training.logs import read_metrics
from kdsharp.weights import store

logger = logging.getLogger(__name__)

_SAMPLE_SIZE = 192
_SAMPLES = 6


def conduct(config: ConfigDict, folder: Path) -> None:
    """Trains what the config describes and writes weights, report and pictures."""
    loop.create_model(config)  # A config that names no network fails here, cheaply.
    teacher = _load_teacher(config)
    initial = _load_initial(config)
    pictures = {
        split: sources.create(config.data.source, split, seed=config.seed)
        for split in ("train", "valid", "test")
    }
    run = loop.Run(
        config,
        folder,
        sources=pictures,
        teacher=teacher and loop.Teacher(teacher.model, teacher.variables),
        initial=initial,
    )
    with workdir.claim(folder, config):
        result = run.train()
        _finish(config, folder, result, teacher, pictures["test"])


def _load_teacher(config: ConfigDict) -> store.Weights | None:
    name = config.teacher.weights
    if not name:
        return None
    teacher = store.load(name, dtype=config.dtype)
    channels = teacher.card["model"].get("channels", 3)
    if channels != config.model.channels:
        raise UserError(
            f"teacher {name!r} works on {channels} channels, "
            f"config.model on {config.model.channels}"
        )
    return teacher


def _load_initial(config: ConfigDict) -> dict | None:
    if not config.init:
        return None
    initial = store.load(config.init)
    arguments = json.loads(config.model.to_json())
    if initial.card["model"] != arguments:
        raise UserError(
            f"config.init {config.init!r} is of {initial.card['model']}, "
            f"config.model asks for {arguments}"
        )
    return initial.variables


def _finish(config, folder, result, teacher, test) -> None:
    """Scores the best network on pictures it never saw, and writes all that stays."""
    model = loop.create_model(config)
    networks = {}
    if teacher:
        networks["teacher"] = (teacher.model, teacher.variables)
    networks[_role(config)] = (model, result.variables)
    restorers = {
        name: _restorer(network, variables)
        for name, (network, variables) in networks.items()
    }
    degrade = jax.jit(degradations.create(config.degradation))
    logger.info("scoring on %d held-out pictures", len(test))
    rows = table.score(
        (test[i] for i in range(len(test))),
        restorers,
        degrade,
        channels=config.model.channels,
        seed=config.seed,
    )
    scores = table.means(rows)
    weights = folder / f"{config.name}.safetensors"
    blur = "given with the pictures" if "blurred" in test[0] else config.degradation
    store.save(weights, result.variables, _card(config, result, scores, blur))
    written = table.markdown(
        scores, {name: count_parameters(v) for name, (_, v) in networks.items()}
    )
    curves.plot(
        read_metrics(folder), result.input_scores["psnr"], folder / "curves.png"
    )
    _sample_sheet(config, restorers, degrade, test).save(folder / "samples.png")
    (folder / "report.md").write_text(
        _report(config, result, written, weights, test, blur)
    )
    print(written)
    gain = scores[_role(config)]["psnr"] - scores[table.INPUT]["psnr"]
    if gain < loop.validation.COLLAPSED:
        logger.warning("the network does no better than to return its input")
    print(f"\nweights   {weights}")
    for name in ("report.md", "samples.png", "curves.png"):
        print(f"{Path(name).stem:9} {folder / name}")


def count_parameters(variables: dict) -> int:
    """Returns how many numbers training sets."""
    return sum(np.size(value) for value in jax.tree.leaves(variables["params"]))


def _role(config: ConfigDict) -> str:
    return "student" if config.teacher.weights else config.name


def _restorer(model, variables) -> table.Restore:
    return jax.jit(lambda blurred: blurred + model.apply(variables, blurred))


def _card(config, result, scores, blur) -> dict:
    """Returns what a stranger needs to use and to judge the weights."""
    return {
        "name": config.name,
        "model": json.loads(config.model.to_json()),
        "degradation": blur,
        "data": config.data.source,
        "data_licence": config.data.licence,
        "recipe": json.loads(config.to_json()),
        "commit": _commit(),
        "steps": result.step,
        "scores": {
            "held-out pictures": scores,
            "validation": {"input": result.input_scores, "network": result.scores},
        },
    }


def _commit() -> str:
    """Returns the revision of the code, or nothing outside a clone."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def _sample_sheet(config, restorers, degrade, test):
    lines = []
    for index in range(min(_SAMPLES, len(test))):
        sharp, blurred = table.blur(
            test[index],
            degrade,
            channels=config.model.channels,
            seed=config.seed + index,
        )
        outputs = {"input": blurred}
        outputs |= {name: restore(blurred) for name, restore in restorers.items()}
        outputs["sharp"] = sharp
        crop = samples.busiest_crop(np.asarray(sharp[0]), _SAMPLE_SIZE)
        lines.append({name: np.asarray(x[0])[crop] for name, x in outputs.items()})
    return samples.grid(lines)


def _report(config, result, written, weights, test, blur) -> str:
    keys = ", ".join(test[i]["key"] for i in range(min(20, len(test))))
    return f"""# {config.name}

Best of {result.steps:,} steps: step {result.step:,}, by validation \
{config.stopping.metric.upper()} ({result.scores["gain"]:+.2f} dB over the input there).
On {len(test)} held-out pictures ({keys}), blur: `{blur}`:

{written}

![samples](samples.png)

![curves](curves.png)

Weights: `{weights.name}`, card: `{weights.with_suffix(".json").name}`. Trained on \
`{config.data.source}`, {len(jax.devices())} x {jax.devices()[0].device_kind} \
({platform.machine()}), JAX {jax.__version__}, kdsharp {_commit()}.
Peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB.

```json
{json.dumps(json.loads(config.to_json()), indent=2)}
```
"""
