"""Adds trained weights to those that ship, with freshly measured scores.

    python -m kdsharp.evaluation.release runs/rt-s-call --benchmarks BENCHMARKS \\
        --photographs VALID --data "BSDS500: 380 photographs" --hardware "2 cores"
    python -m kdsharp.evaluation.release elsewhere/rt-s.safetensors \\
        --name rt-s-call --facts FACTS.json --benchmarks BENCHMARKS --photographs VALID

BENCHMARKS holds the folders Set5 and Set14, VALID the validation photographs of the
run. The weights are a finished run of `configs/zoo`, or a file with a card from another
program. FACTS corrects and completes the card: it is a JSON object that is merged into
the card; null removes an entry.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from kdsharp.core import degradations, metrics
from kdsharp.data import decoding, folder
from kdsharp.errors import UserError
from kdsharp.evaluation.quality import cases, comparison, restorers, scoring
from kdsharp.evaluation.quality.restorers import INPUT
from kdsharp.training import validation
from kdsharp.weights import store

_ZOO = Path(store.__file__).parent / "zoo"
_SOURCE = "folder:BSDS500"
_CALL = "video_call"
# Configs of networks other than DnCNN by the last part of the name.
_CONFIGS = {"call": "calls", "photo": "photographs"}
# Degradation, shift (see `cases.of_sharp`), and the name on cards.
_PUBLISHED = (
    ("bicubic:2", 0, "luma, border of 2"),
    ("bicubic:2,exact=1", 0, "the same, enlarged without rounding as published"),
    ("bicubic:2", 1, "the same, the blur's grid off by one"),
)
_BORDER = 2
# Validation settings, unless the recipe has them.
_SIZE, _PICTURES = 256, 20


def release(
    trained: Path,
    *,
    benchmarks: Path,
    photographs: Path,
    zoo: Path = _ZOO,
    name: str = "",
    facts: dict | None = None,
    **overrides: str,
) -> Path:
    """Writes weights to `zoo`, with all scores on their card; returns the file.

    `trained` is the folder of a run or a file of weights. They are released as `name`,
    or as named on their card. The card from training is kept, without local paths;
    `facts` and then `overrides` are merged into it.
    """
    weights = store.load(str(trained))
    card = weights.card
    card["name"] = name or card["name"]
    if "recipe" in card:
        _remove_paths(card["recipe"], card["name"])
    _merge(card, facts or {})
    card |= {"command": _command(card)}
    card |= {key: value for key, value in overrides.items() if value}
    # Scores that are not measured here, such as of video, may come from facts.
    told_scores = (facts or {}).get("scores", {})
    card["scores"] = _scores(weights, benchmarks, photographs) | told_scores
    file = zoo / f"{card['name']}.safetensors"
    store.save(file, weights.variables, card)
    return file


def read_facts(path: Path) -> dict:
    """Reads a JSON object from a file."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a readable JSON file") from error
    if not isinstance(facts, dict):
        raise UserError(
            f"{path} does not hold a JSON object, such as {{'steps': 1000}}"
        )
    return facts


def _remove_paths(recipe: dict, name: str) -> None:
    """Replaces local paths in a recipe by public names."""
    recipe["name"] = name
    kind, _, _ = recipe["data"]["source"].partition(":")
    recipe["data"]["source"] = _SOURCE if kind == "folder" else f"{kind}:{kind.upper()}"
    recipe["init"] = _name_of(recipe["init"])
    if teachers := recipe.get("teacher", {}).get("weights"):
        recipe["teacher"]["weights"] = ",".join(map(_name_of, teachers.split(",")))


def _name_of(weights: str) -> str:
    return Path(weights).name.removesuffix(".safetensors")


def _merge(card: dict, facts: dict) -> None:
    for entry, value in facts.items():
        if value is None:
            card.pop(entry, None)
        elif isinstance(value, dict) and isinstance(card.get(entry), dict):
            _merge(card[entry], value)
        else:
            card[entry] = value


def _command(card: dict) -> str:
    """The command that trains these weights."""
    name = card["name"]
    network, _, task = name.rpartition("-")
    config = "dncnn" if network.startswith("dncnn") else _CONFIGS.get(task, "real_time")
    source = card.get("recipe", {}).get("data", {}).get("source", _SOURCE)
    return (
        f"python -m kdsharp.main --config=configs/zoo/{config}.py:{name} "
        f"--config.data.source={source}"
    )


def _scores(weights: store.Weights, benchmarks: Path, photographs: Path) -> dict:
    network = restorers.of_weights(weights, weights.card["name"])
    validated = _validation_scores(weights, photographs)
    if weights.card["degradation"].startswith(_CALL):
        tests = _call_scores(network, benchmarks, photographs)
        validated = _drop_infinite_means(validated)
        return {**tests, "validation (a tenth sharp already)": validated}
    return {**_published_scores(network, benchmarks), "validation": validated}


def _validation_scores(weights: store.Weights, photographs: Path) -> dict:
    """Computes the scores that training measured after every epoch, in float32."""
    card = weights.card
    recipe = card.get("recipe", {})
    grid_shift = recipe.get("data", {}).get("grid_shift", 0)
    crops = validation.center_crops(
        [
            {"sharp": decoding.read(photographs / name)}
            for name in folder.find_pictures(photographs)
        ],
        recipe.get("validation", {}).get("size", _SIZE) + grid_shift,
        recipe.get("validation", {}).get("pictures", _PICTURES),
    )
    validate = validation.Validation(
        weights.model,
        card["model"].get("channels", 3),
        degradations.create(card["degradation"]),
        crops,
        recipe.get("seed", 0),
        grid_shift,
    )
    return {"input": validate.input, "network": validate(weights.variables)}


def _published_scores(network: restorers.PictureRestorer, benchmarks: Path) -> dict:
    """Scores by published protocols, and with a shifted grid of the blur."""
    scores = {}
    for test in ("Set5", "Set14"):
        for spec, shift, protocol in _PUBLISHED:
            blur = degradations.create(spec)
            test_cases = cases.of_sharp(benchmarks / test, blur, shift=shift)
            means = _means(network, test_cases, "luma", _BORDER)
            scores[f"{test} ({protocol})"] = means
    return scores


def _call_scores(
    network: restorers.PictureRestorer, benchmarks: Path, photographs: Path
) -> dict[str, dict]:
    """Scores on degraded calls, and the PSNR of sharp pictures to themselves."""
    scores = {}
    degrade = degradations.create(_CALL)
    for tested in (benchmarks / "Set14", photographs):
        test_cases = cases.of_sharp(tested, degrade)
        label = tested.name
        if tested == photographs:
            label = f"{len(test_cases.usable)} photographs of the validation"
        for protocol in ("luma", "rgb"):
            means = _means(network, test_cases, protocol, 0)
            scores[f"{label} ({_CALL}, {protocol})"] = means
    psnrs = [
        _psnr_to_itself(network, case.load().sharp)
        for tested in (benchmarks / "Set5", benchmarks / "Set14", photographs)
        for case in cases.of_sharp(tested, degrade).usable
    ]
    scores[f"{len(psnrs)} sharp pictures, how far they stay what they are (RGB)"] = {
        "worst": round(min(psnrs), 2),
        "mean": round(float(np.mean(psnrs)), 2),
    }
    return scores


def _means(
    network: restorers.PictureRestorer,
    test_cases: cases.Cases,
    protocol: str,
    shave: int,
) -> dict[str, dict[str, float]]:
    found = comparison.evaluate(test_cases, [network], protocol=protocol, shave=shave)
    rows = {row.name: row.means for row in found.rows}
    return {
        label: {
            "psnr": round(rows[row]["psnr"].mean, 2),
            "ssim": round(rows[row]["ssim"].mean, 4),
        }
        for label, row in (("input", INPUT), ("network", network.name))
    }


def _psnr_to_itself(network: restorers.PictureRestorer, sharp) -> float:
    """The PSNR of a restored sharp picture to itself."""
    psnr = scoring.scores(network.restore(sharp), sharp, names=("psnr",))["psnr"]
    return min(psnr, metrics.MAX_PSNR)


def _drop_infinite_means(validated: dict) -> dict:
    return {
        row: {name: value for name, value in scores.items() if name in ("mae", "ssim")}
        for row, scores in validated.items()
    }


def main() -> None:
    """Releases the weights of the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("trained", type=Path, help="a run's folder or a file")
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--zoo", type=Path, default=_ZOO)
    parser.add_argument("--name", default="", help="(default: the card's)")
    parser.add_argument("--facts", type=Path, help="a JSON object laid over the card")
    for entry in ("data", "data-licence", "licence", "hardware", "limits"):
        parser.add_argument(f"--{entry}", default="")
    arguments = vars(parser.parse_args())
    try:
        if arguments["facts"]:
            arguments["facts"] = read_facts(arguments["facts"])
        print(release(**arguments))
    except UserError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
