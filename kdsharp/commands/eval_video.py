"""`kdsharp eval --video`: scores networks on encoded video and writes tables."""

import contextlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from kdsharp.data.clips import codecs
from kdsharp.errors import UserError
from kdsharp.evaluation.calls import (
    call_report,
    clips,
    judging,
    ladder,
    restorers,
    showing,
    summary,
    vmaf,
)
from kdsharp.evaluation.calls.store import Store
from kdsharp.runtime import backends

logger = logging.getLogger(__name__)


def run(
    weights: Sequence[str],
    asked: ladder.Ladder,
    *,
    data: Path | None = None,
    pages: int = 0,
    backend: str = "auto",
    dtype: str = "float32",
    threads: int = 0,
    with_vmaf: bool = True,
    out: Path | None = None,
) -> int:
    """Runs the evaluation and returns 0 only if everything could be scored.

    Without `out`, results go to a temporary folder and no plots are drawn.
    """
    codecs.require_av()
    for option, value in (("--screens", pages), ("--threads", threads)):
        if value < 0:
            raise UserError(f"{option} must be at least 0, not {value}")
    if data is None and not pages:
        raise UserError("nothing to score on: give --data DIR, --screens N, or both")
    backend = backends.choose(backend, dtype)
    networks, failed = restorers.load(weights, backend=backend, dtype=dtype)
    if failed and not networks:
        raise UserError("; ".join(failed.values()))
    found, left_out = clips.find(data, asked.window) if data else ([], {})
    found += clips.pages(pages, asked.window)
    if not found:
        raise _nothing_left(left_out)
    groups = asked.groups(found)
    judges = [
        restorers.Identity(),
        *map(restorers.Unsharp, restorers.AMOUNTS),
        *networks,
    ]
    with contextlib.ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = Store(folder)
        if with_vmaf and vmaf.program() is None:
            logger.warning(vmaf.MISSING)
            with_vmaf = False
        with tqdm(
            total=sum(map(len, groups)), unit="cell", leave=False, delay=1
        ) as bar:
            judging.judge(
                groups,
                judges,
                store,
                with_vmaf=with_vmaf,
                threads=threads,
                left_out=left_out,
                done=bar.update,
            )
        judged = [
            (cell, store.rows(cell))
            for group in groups
            for cell in group
            if cell.clip.name not in left_out
        ]
        if not judged:
            raise _nothing_left(left_out)
        left_out = dict(sorted(left_out.items()))
        speeds = _speeds(judged[-1][0], networks, store, threads)
        settings = summary.settings(judged, judges)
        result = call_report.CallResults(
            ladder=asked,
            judged=judged,
            settings=settings,
            rows=summary.rows(settings, judges, speeds),
            texts=summary.text_rows(judged, judges),
            identities={judge.name: judge.identity for judge in judges},
            backend=backend,
            dtype=dtype,
            left_out=left_out,
        )
        for table in call_report.tables(result):
            print(table, end="\n\n")
        for note in call_report.notes(result):
            print(note)
        if out:
            print()
            written = call_report.write(result, out)
            written += showing.write([cell for cell, _ in judged], networks, store, out)
            for path in written:
                print(path)
    missing = failed | left_out
    for name, reason in missing.items():
        logger.error("not scored: %s: %s", name, reason)
    return 1 if missing else 0


def _nothing_left(left_out: dict[str, str]) -> UserError:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
    return UserError(f"no clip can be scored: {reasons}")


def _speeds(
    cell: ladder.Cell, networks, store: Store, threads: int
) -> dict[str, float]:
    """Measures milliseconds per frame of each network, on the frames of a cell.

    Speeds that are in the store are not measured again.
    """
    known = store.speeds()
    width, height = cell.clip.size
    keys = {n.name: f"{n.identity} {width}x{height} {threads}" for n in networks}
    if keys.values() - known.keys():
        frames = ladder.camera_frames(cell.clip.load(), cell.source)
        played = judging.decode_cell(cell, frames, store)
        for network in networks:
            if keys[network.name] not in known:
                known[keys[network.name]] = network.milliseconds(played, threads)
        store.save_speeds(known)
    return {name: known[key] for name, key in keys.items()}
