"""Makes a finished run of `configs/zoo` one of the weights that ship, with its scores.

    python -m kdsharp.evaluation.release runs/rt-s-call --benchmarks BENCHMARKS \\
        --photographs VALID --data "BSDS500: 380 photographs" --hardware "2 cores"

BENCHMARKS holds the folders Set5 and Set14, VALID the photographs that chose the step.
"""

import argparse
from pathlib import Path

import numpy as np

from kdsharp.core import degradations
from kdsharp.evaluation.quality import cases, comparison, restorers, scoring
from kdsharp.evaluation.quality.restorers import INPUT
from kdsharp.weights import store

_ZOO = Path(store.__file__).parent / "zoo"
_SOURCE = "folder:BSDS500"
_CALL = "video_call"
# Blur, rows and columns that are cut off after it, and how cards call that.
_PUBLISHED = (
    ("bicubic:2", 0, "luma, border of 2"),
    ("bicubic:2,exact=1", 0, "the same, enlarged without rounding as published"),
    ("bicubic:2", 1, "the same, the blur's grid off by one"),
)
_BORDER = 2
# In dB; of no difference at all a card holds no infinity.
_SAME = 100.0


def release(
    run: Path, *, benchmarks: Path, photographs: Path, zoo: Path = _ZOO, **told: str
) -> Path:
    """Returns the file in `zoo`, its card with every score; `told` goes into the card.

    What the card has from the run stays, but for where its photographs and what it
    began from lay, and for means over pictures of which some were sharp already.
    """
    weights = store.load(str(run))
    card = weights.card
    name = card["name"]
    config = "dncnn" if name.startswith("dncnn") else "real_time"
    card |= {
        "command": f"python -m kdsharp.main --config=configs/zoo/{config}.py:{name} "
        f"--config.data.source={_SOURCE}",
        **{key: value for key, value in told.items() if value},
    }
    if "recipe" in card:
        card["recipe"]["data"]["source"] = _SOURCE
        card["recipe"]["init"] = Path(card["recipe"]["init"]).name
    network = restorers.of_weights(weights, name)
    if card["degradation"].startswith(_CALL):
        tests = _of_calls(network, benchmarks, photographs)
        validation = _without_means_of_infinities(card["scores"]["validation"])
        tests["validation (a tenth sharp already)"] = validation
    else:
        tests = _published(network, benchmarks)
        tests["validation"] = card["scores"]["validation"]
    card["scores"] = tests
    file = zoo / f"{name}.safetensors"
    store.save(file, weights.variables, card)
    return file


def _published(network: restorers.Restorer, benchmarks: Path) -> dict:
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
    network: restorers.Restorer, benchmarks: Path, photographs: Path
) -> dict[str, dict]:
    """Returns the gains on what calls do, and how far sharp pictures stay the same."""
    found = {}
    degrade = degradations.create(_CALL)
    for folder in (benchmarks / "Set14", photographs):
        judged_by = cases.of_sharp(folder, degrade)
        told = folder.name
        if folder == photographs:
            told = f"{len(judged_by.whole)} photographs of the validation"
        for protocol in ("luma", "rgb"):
            means = _means(network, judged_by, protocol, 0)
            found[f"{told} ({_CALL}, {protocol})"] = means
    kept = [
        _to_itself(network, case.load().sharp)
        for folder in (benchmarks / "Set5", benchmarks / "Set14", photographs)
        for case in cases.of_sharp(folder, degrade).whole
    ]
    found[f"{len(kept)} sharp pictures, how far they stay what they are (RGB)"] = {
        "worst": round(min(kept), 2),
        "mean": round(float(np.mean(kept)), 2),
    }
    return found


def _means(
    network: restorers.Restorer, judged_by: cases.Cases, protocol: str, shave: int
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


def _to_itself(network: restorers.Restorer, sharp) -> float:
    """Returns the PSNR of what a network makes of a sharp picture, to that picture."""
    psnr = scoring.scores(network.restore(sharp), sharp, names=("psnr",))["psnr"]
    return min(psnr, _SAME)


def _without_means_of_infinities(validation: dict) -> dict:
    return {
        row: {name: value for name, value in scores.items() if name in ("mae", "ssim")}
        for row, scores in validation.items()
    }


def main() -> None:
    """Releases the run of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--zoo", type=Path, default=_ZOO)
    for entry in ("data", "data-licence", "hardware", "limits"):
        parser.add_argument(f"--{entry}", default="")
    print(release(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
