"""Ablations: one student trained by several distillation methods, and a baseline.

All methods use the same seeds, batches and number of steps. The table has the mean and
standard deviation of the gain over the input, and of the difference to the baseline for
the same seed.
"""

import dataclasses
import json
import logging
import statistics
from collections.abc import Iterable
from pathlib import Path

from ml_collections import ConfigDict

from kdsharp import config_checks, experiment
from kdsharp.base import atomic_files
from kdsharp.config_files import find, load_config
from kdsharp.core import degradations, objectives
from kdsharp.data import pipeline, sources
from kdsharp.errors import UserError
from kdsharp.evaluation import table
from kdsharp.evaluation import text as table_text
from kdsharp.evaluation.bench import operations
from kdsharp.evaluation.plots import candidates
from kdsharp.training import building, feeding, workdir
from kdsharp.training.logs import read_metrics
from kdsharp.weights import fold

logger = logging.getLogger(__name__)

_SCORES = "scores.json"
_RATE = "time/images_per_second"


@dataclasses.dataclass(frozen=True)
class Trial:
    """The result of one method from one seed."""

    method: str
    seed: int
    psnr: float
    ssim: float
    gain: float
    # Without compilation; None for a single step, which includes it.
    milliseconds_a_step: float | None
    # GFLOP per frame of 1280x720, and the number of parameters.
    gigaflop: float
    parameters: int


def run(ablation: ConfigDict, base: ConfigDict, folder: Path) -> str:
    """Trains all trials that are not finished; writes and returns the table."""
    shared = _set_epochs(ablation, base)
    configs = {
        (method, seed): _configure(ablation, shared, method, seed)
        for seed in ablation.seeds
        for method in ablation.methods
    }
    # All configs are checked before the first is trained.
    for config in configs.values():
        config_checks.check(config)
        objectives.in_use(config.objective)
    trials = [
        _run_trial(method, seed, config, folder)
        for (method, seed), config in configs.items()
    ]
    text = markdown(trials, ablation.baseline)
    records = [dataclasses.asdict(trial) for trial in trials]
    atomic_files.write_text(
        folder / "ablation.json", json.dumps(records, indent=2) + "\n"
    )
    atomic_files.write_text(folder / "ablation.md", text + "\n")
    networks = _gains_by_cost(trials)
    if len({network.cost for network in networks.values()}) > 1:
        candidates.plot(networks, folder / "ablation.png")
    return text


def _gains_by_cost(trials: list[Trial]) -> dict[str, candidates.Candidate]:
    by_method = {}
    for trial in trials:
        by_method.setdefault(trial.method, candidates.Candidate(trial.gigaflop, []))
        by_method[trial.method].gains.append(trial.gain)
    return by_method


def markdown(trials: list[Trial], baseline: str) -> str:
    """Formats the table: the baseline first, then the methods by descending gain."""
    by_method = {
        method: {trial.seed: trial for trial in trials if trial.method == method}
        for method in {trial.method for trial in trials}
    }
    first = by_method.pop(baseline)
    ranked = sorted(by_method.items(), key=lambda item: -_mean_gain(item[1].values()))
    lines = [
        [
            "method",
            "gain over the input, dB",
            "SSIM",
            f"to `{baseline}`, dB",
            "better",
            "ms a step",
            "parameters",
            "GFLOP a 720p frame",
        ]
    ]
    for method, by_seed in [(baseline, first), *ranked]:
        runs = by_seed.values()
        differences = [trial.gain - first[seed].gain for seed, trial in by_seed.items()]
        better = f"{sum(a > 0 for a in differences)} of {len(differences)}"
        compared = (
            [_mean_and_deviation(differences, "+.3f"), better]
            if method != baseline
            else ["", ""]
        )
        lines.append(
            [
                f"`{method}`",
                _mean_and_deviation([t.gain for t in runs], "+.3f"),
                _mean_and_deviation([t.ssim for t in runs], ".4f"),
                *compared,
                _mean_milliseconds(runs),
                f"{max(t.parameters for t in runs):,}",
                f"{max(t.gigaflop for t in runs):.2f}",
            ]
        )
    return table_text.table(lines)


def _set_epochs(ablation: ConfigDict, base: ConfigDict) -> ConfigDict:
    """Sets the epochs that give the ablation's number of steps and evaluations."""
    config = base.copy_and_resolve_references()
    source = sources.create(
        config.data.source,
        "train",
        seed=config.seed,
        min_side=feeding.patch_size(config),
    )
    crops = ablation.steps * config.batch_size / ablation.evaluations / len(source)
    config.data.crops_per_picture = max(1, round(crops))
    steps_per_epoch = pipeline.steps_per_epoch(
        source, config.batch_size, config.data.crops_per_picture
    )
    config.epochs = max(1, round(ablation.steps / steps_per_epoch))
    # Logged at least once, since the time of a step is read from the log.
    config.log_every = min(config.log_every, config.epochs * steps_per_epoch)
    return config


def _configure(
    ablation: ConfigDict, shared: ConfigDict, method: str, seed: int
) -> ConfigDict:
    """Creates the config of a method and a seed."""
    config = shared.copy_and_resolve_references()
    _update(config, ablation.methods[method], f"method {method!r}")
    config.name, config.seed = method, seed
    return config


def _run_trial(method: str, seed: int, config: ConfigDict, folder: Path) -> Trial:
    """Trains and scores a method from a seed, unless its scores exist already."""
    folder = folder / method / f"seed{seed}"
    written = folder / _SCORES
    with workdir.claim(folder, config):
        if written.exists():
            return Trial(**json.loads(written.read_text()))
    logger.info("%s, seed %d", method, seed)
    prepared = experiment.prepare(config, folder)
    with workdir.claim(folder, config):
        result = prepared.run.train()
        trial = _score(method, seed, config, prepared, result.variables, folder)
        atomic_files.write_text(written, json.dumps(dataclasses.asdict(trial)) + "\n")
    return trial


def _score(method, seed, config, prepared, variables, folder) -> Trial:
    restore = experiment.restorer(building.create_model(config), variables)
    # The network as it would be released.
    arguments, collapsed = fold.collapse(json.loads(config.model.to_json()), variables)
    test = prepared.pictures["test"]
    rows = table.score(
        (test[i] for i in range(len(test))),
        {method: restore},
        degradations.create(config.degradation),
        channels=config.model.channels,
        # The seed of the blur, the same for all trials.
        seed=0,
    )
    scores = table.means(rows)
    rates = [r[_RATE] for r in read_metrics(folder) if _RATE in r and r["step"] > 1]
    return Trial(
        method,
        seed,
        psnr=scores[method]["psnr"],
        ssim=scores[method]["ssim"],
        gain=scores[method]["psnr"] - scores[table.INPUT]["psnr"],
        milliseconds_a_step=(
            1e3 * config.batch_size / statistics.median(rates) if rates else None
        ),
        gigaflop=operations.per_frame(arguments, 720, 1280) / 1e9,
        parameters=experiment.count_parameters(collapsed),
    )


def choose(ablation: ConfigDict, methods: Iterable[str]) -> None:
    """Restricts an ablation to the given methods and the baseline."""
    names = {*methods, ablation.baseline}
    if unknown := sorted(names - set(ablation.methods)):
        raise UserError(
            f"the ablation has no method {unknown[0]!r}; choose one of: "
            f"{', '.join(ablation.methods)}"
        )
    for name in set(ablation.methods) - names:
        del ablation.methods[name]


def load(spec: str) -> tuple[ConfigDict, ConfigDict]:
    """Loads an ablation, and the experiment that all its methods share."""
    path, _ = find(spec)
    ablation = load_config(spec)
    if "methods" not in ablation:
        raise UserError(
            f"{path} is not an ablation; give one such as configs/ablation.py"
        )
    config_checks.check_ablation(ablation)
    base = load_config(str(path.parent / ablation.experiment))
    _update(base, ablation.common, "common")
    config_checks.check(base)
    return ablation, base


def _update(config: ConfigDict, changes: ConfigDict, name: str) -> None:
    try:
        config.update(changes)
    except (TypeError, AttributeError, ValueError) as error:
        raise UserError(f"the ablation's {name}: {' '.join(str(error).split())}") from (
            error
        )


def _mean_milliseconds(trials: Iterable[Trial]) -> str:
    known = [t.milliseconds_a_step for t in trials if t.milliseconds_a_step is not None]
    return f"{statistics.mean(known):.0f}" if known else ""


def _mean_gain(trials: Iterable[Trial]) -> float:
    return statistics.mean(trial.gain for trial in trials)


def _mean_and_deviation(values: list[float], form: str) -> str:
    """Formats the mean and, for several values, the standard deviation."""
    mean = f"{statistics.mean(values):{form}}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(values):{form.lstrip('+')}}"
