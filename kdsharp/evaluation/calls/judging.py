"""Encodes, decodes, restores and scores cells, except those already finished."""

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from kdsharp.base import cores
from kdsharp.data.decoding import BadPictureError
from kdsharp.evaluation.calls import ladder, measures, vmaf
from kdsharp.evaluation.calls.ladder import FIRST_SCORED, Cell
from kdsharp.evaluation.calls.store import Rows, Store


class ClipRestorer(Protocol):
    """A callable from the frames of a clip to planes of restored luma."""

    name: str
    identity: str
    parameters: int | None

    def __call__(self, frames): ...


def judge(
    groups: Sequence[Sequence[Cell]],
    restorers: Sequence[ClipRestorer],
    store: Store,
    *,
    with_vmaf: bool,
    threads: int,
    left_out: dict[str, str],
    done: Callable[[int], object],
) -> None:
    """Scores every restorer on every cell, and calls `done(count)` for progress.

    `threads` groups are processed at a time; 0 uses every core. Clips found damaged are
    added to `left_out` with the reason.
    """
    stopped = threading.Event()
    workers = threads or cores.count()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = {
            pool.submit(
                _judge_group, group, restorers, store, with_vmaf, done, stopped
            ): group
            for group in groups
        }
        try:
            for future in concurrent.futures.as_completed(waiting):
                try:
                    future.result()
                except BadPictureError as error:
                    left_out[waiting[future][0].clip.name] = str(error)
        except BaseException:
            stopped.set()
            raise


def unscored(
    cell: Cell, restorers: Sequence[ClipRestorer], store: Store, with_vmaf: bool
) -> list[ClipRestorer]:
    """Lists the restorers that have no scores on the cell yet."""
    rows = store.rows(cell)
    return [
        restorer
        for restorer in restorers
        if restorer.identity not in rows
        or (with_vmaf and "vmaf" not in rows[restorer.identity])
    ]


def decode_cell(cell: Cell, frames: ladder.Frames, store: Store) -> list:
    """Decodes a cell to the frames that a player shows.

    The frames of the camera are encoded first, unless the stream is in the store.
    """
    stream = store.stream(cell)
    if stream is None:
        stream = ladder.encode(cell, frames)
        store.save_stream(cell, stream)
    return ladder.play(cell, stream, frames)


def _judge_group(
    group: Sequence[Cell],
    restorers: Sequence[ClipRestorer],
    store: Store,
    with_vmaf: bool,
    done: Callable[[int], object],
    stopped: threading.Event,
) -> None:
    frames = sent = true = None
    for cell in group:
        if stopped.is_set():
            return
        left = unscored(cell, restorers, store, with_vmaf)
        if left:
            if frames is None or sent is None:
                frames = cell.clip.load()
                true = ladder.true_luma(frames, cell.clip.size)[FIRST_SCORED:]
                sent = ladder.camera_frames(frames, cell.source)
            rows = _rows(cell, decode_cell(cell, sent, store), true, left, with_vmaf)
            store.save(cell, rows)
        done(1)


def _rows(cell, played, true, restorers, with_vmaf) -> Rows:
    rows = {}
    for restorer in restorers:
        restored = np.stack(list(restorer(played)))[FIRST_SCORED:]
        row = measures.measure(restored, true, cell.grid)
        if with_vmaf:
            row |= vmaf.measure(restored, true)
        rows[restorer.identity] = row
    return rows
