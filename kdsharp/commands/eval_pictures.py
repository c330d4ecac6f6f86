"""`kdsharp eval`: scores networks on pictures, prints and saves the tables."""

import logging
from collections.abc import Sequence
from pathlib import Path

from kdsharp.core import degradations
from kdsharp.errors import UserError
from kdsharp.evaluation.quality import cases, comparison, restorers, score_report
from kdsharp.weights import store

logger = logging.getLogger(__name__)

_DEGRADATION = "bicubic:2"


def run(
    weights: Sequence[str],
    *,
    data: Path | None = None,
    pairs: tuple[Path, Path] | None = None,
    degradation: str | None = None,
    shift: int = 0,
    protocol: str = "rgb",
    shave: int | None = None,
    against: str | None = None,
    out: Path | None = None,
) -> int:
    """Runs the evaluation and returns 0 only if everything could be scored."""
    if shift < 0:
        raise UserError(f"--shift must be at least 0, not {shift}")
    if data:
        blur = degradation or _DEGRADATION
        degrade = degradations.create(blur)
        judged_by = cases.of_sharp(data, degrade, shift=shift)
        source, factor = data.name, degrade.factor
        if shift:
            blur += f", grid shifted by {shift}"
    else:
        assert pairs is not None
        if degradation or shift:
            option = "--degradation" if degradation else "--shift"
            raise UserError(f"{option} is for --data: pairs are already blurred")
        judged_by = cases.of_pairs(*pairs)
        source, blur, factor = pairs[1].name, store.GIVEN, 1
    if shave is None:
        shave = factor if protocol == "luma" and factor > 1 else 0
    networks, failed = restorers.load([*weights, *([against] if against else [])])
    if failed and not networks:
        raise UserError("; ".join(failed.values()))
    if against in failed:
        raise UserError(failed[against])
    if out:
        out.mkdir(parents=True, exist_ok=True)
    found = comparison.evaluate(
        judged_by,
        list(networks.values()),
        protocol=protocol,
        shave=shave,
        against=networks[against].name if against else None,
    )
    print(score_report.table(found), end="\n\n")
    for note in score_report.notes(found, source, blur):
        print(note)
    if out:
        print()
        for path in score_report.write(found, out, source, blur):
            print(path)
    missing = failed | found.left_out
    for name, reason in missing.items():
        logger.error("not scored: %s: %s", name, reason)
    return 1 if missing else 0
