"""Makes trained weights one of those that ship, with every score measured here.

    python -m kdsharp.evaluation.release runs/rt-s-call --benchmarks BENCHMARKS \\
        --photographs VALID --data "BSDS500: 380 photographs" --hardware "2 cores"
    python -m kdsharp.evaluation.release elsewhere/rt-s.safetensors \\
        --name rt-s-call --facts FACTS.json --benchmarks BENCHMARKS --photographs VALID

BENCHMARKS holds the folders Set5 and Set14, VALID the photographs that chose the step.
The weights are a finished run of `configs/zoo`, or a file with its card beside it that
another program wrote. What such a card has wrong or lacks, FACTS corrects: a JSON
object laid over the card, in which null takes an entry out.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from kdsharp.core import degradations
from kdsharp.data import decoding, folder
from kdsharp.errors import UserError
from kdsharp.evaluation.quality import cases, comparison, restorers, scoring
from kdsharp.evaluation.quality.restorers import INPUT
from kdsharp.training import validation
from kdsharp.weights import store

_ZOO = Path(store.__file__).parent / "zoo"
_SOURCE = "folder:BSDS500"
_CALL = "video_call"
# Recipes of networks other than DnCNN by what the name ends in.
_CONFIGS = {"call": "calls", "photo": "photographs"}
# Blur, rows and columns that are cut off after it, and how cards call that.
_PUBLISHED = (
    ("bicubic:2", 0, "luma, border of 2"),
    ("bicubic:2,exact=1", 0, "the same, enlarged without rounding as published"),
    ("bicubic:2", 1, "the same, the blur's grid off by one"),
)
_BORDER = 2
# Of the validation, where a recipe does not say.
_SIZE, _PICTURES = 256, 20
# In dB; of no difference at all a card holds no infinity.
_SAME = 100.0


def release(
    trained: Path,
    *,
    benchmarks: Path,
    photographs: Path,
    zoo: Path = _ZOO,
    name: str = "",
    facts: dict | None = None,
    **told: str,
) -> Path:
    """Returns the file in `zoo`, its card with every score.

    `trained` is a run's folder or a file of weights. They ship as `name`, or as what
    their card calls them. What the card has from training stays, but for where files
    lay; `facts` are laid over it, and then `told`.
    """
    weights = store.load(str(trained))
    card = weights.card
    card["name"] = name or card["name"]
    if "recipe" in card:
        _leave_out_places(card["recipe"], card["name"])
    _lay_over(card, facts or {})
    card |= {"command": _command(card)}
    card |= {key: value for key, value in told.items() if value}
    # Of what nothing here measures, such as video, facts may tell scores.
    told_scores = (facts or {}).get("scores", {})
    card["scores"] = _scores(weights, benchmarks, photographs) | told_scores
    file = zoo / f"{card['name']}.safetensors"
    store.save(file, weights.variables, card)
    return file


def read_facts(path: Path) -> dict:
    """Returns the JSON object of a file."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no JSON file that can be read") from error
    if not isinstance(facts, dict):
        raise UserError(f"{path} holds no JSON object, as {{'steps': 1000}} is one")
    return facts


def _leave_out_places(recipe: dict, name: str) -> None:
    """Names things in a recipe as a stranger can find them."""
    recipe["name"] = name
    kind, _, _ = recipe["data"]["source"].partition(":")
    recipe["data"]["source"] = _SOURCE if kind == "folder" else f"{kind}:{kind.upper()}"
    recipe["init"] = _name_of(recipe["init"])
    if teachers := recipe.get("teacher", {}).get("weights"):
        recipe["teacher"]["weights"] = ",".join(map(_name_of, teachers.split(",")))


def _name_of(weights: str) -> str:
    return Path(weights).name.removesuffix(".safetensors")


def _lay_over(card: dict, facts: dict) -> None:
    for entry, value in facts.items():
        if value is None:
            card.pop(entry, None)
        elif isinstance(value, dict) and isinstance(card.get(entry), dict):
            _lay_over(card[entry], value)
        else:
            card[entry] = value


def _command(card: dict) -> str:
    """Returns what runs the recipe of these weights."""
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
    validated = _validated(weights, photographs)
    if weights.card["degradation"].startswith(_CALL):
        tests = _of_calls(network, benchmarks, photographs)
        validated = _without_means_of_infinities(validated)
        return {**tests, "validation (a tenth sharp already)": validated}
    return {**_published(network, benchmarks), "validation": validated}


def _validated(weights: store.Weights, photographs: Path) -> dict:
    """Returns what training measured after every epoch, in float32."""
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


def _published(network: restorers.PictureRestorer, benchmarks: Path) -> dict:
    """Returns the scores that compare with published ones, and off the blur's grid."""
    found = {}
    for test in ("Set5", "Set14"):
        for spec, shift, told in _PUBLISHED:
            blur = degradations.create(spec)
            judged_by = cases.of_sharp(benchmarks / test, blur, shift=shift)
            means = _means(network, judged_by, "luma", _BORDER)
            found[f"{test} ({told})"] = means
    return found


def _of_calls(
    network: restorers.PictureRestorer, benchmarks: Path, photographs: Path
) -> dict[str, dict]:
    """Returns the gains on what calls do, and how far sharp pictures stay the same."""
    found = {}
    degrade = degradations.create(_CALL)
    for tested in (benchmarks / "Set14", photographs):
        judged_by = cases.of_sharp(tested, degrade)
        told = tested.name
        if tested == photographs:
            told = f"{len(judged_by.whole)} photographs of the validation"
        for protocol in ("luma", "rgb"):
            means = _means(network, judged_by, protocol, 0)
            found[f"{told} ({_CALL}, {protocol})"] = means
    kept = [
        _to_itself(network, case.load().sharp)
        for tested in (benchmarks / "Set5", benchmarks / "Set14", photographs)
        for case in cases.of_sharp(tested, degrade).whole
    ]
    found[f"{len(kept)} sharp pictures, how far they stay what they are (RGB)"] = {
        "worst": round(min(kept), 2),
        "mean": round(float(np.mean(kept)), 2),
    }
    return found


def _means(
    network: restorers.PictureRestorer,
    judged_by: cases.Cases,
    protocol: str,
    shave: int,
) -> dict[str, dict[str, float]]:
    found = comparison.evaluate(judged_by, [network], protocol=protocol, shave=shave)
    rows = {row.name: row.means for row in found.rows}
    return {
        told: {
            "psnr": round(rows[row]["psnr"].mean, 2),
            "ssim": round(rows[row]["ssim"].mean, 4),
        }
        for told, row in (("input", INPUT), ("network", network.name))
    }


def _to_itself(network: restorers.PictureRestorer, sharp) -> float:
    """Returns the PSNR of what a network makes of a sharp picture, to that picture."""
    psnr = scoring.scores(network.restore(sharp), sharp, names=("psnr",))["psnr"]
    return min(psnr, _SAME)


def _without_means_of_infinities(validated: dict) -> dict:
    return {
        row: {name: value for name, value in scores.items() if name in ("mae", "ssim")}
        for row, scores in validated.items()
    }


def main() -> None:
    """Releases the weights of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
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
