"""Cells are encoded, decoded, restored and measured; finished ones are passed over."""

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
    """What turns the frames of a clip into planes of restored luma."""

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
    """Measures every restorer on every cell; `done` is told of so many more.

    So many groups are under way at a time as there are `threads`; 0 is every core.
    Clips that turn out to be damaged join those `left_out`.
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


def lacking(
    cell: Cell, restorers: Sequence[ClipRestorer], store: Store, with_vmaf: bool
) -> list[ClipRestorer]:
    """The restorers that the cell is still to be judged by."""
    rows = store.rows(cell)
    return [
        restorer
        for restorer in restorers
        if restorer.identity not in rows
        or (with_vmaf and "vmaf" not in rows[restorer.identity])
    ]


def decoded(cell: Cell, frames: ladder.Frames, store: Store) -> list:
    """The cell's frames as a player shows them, from its stream if it is kept.

    `frames` are what the camera gives.
    """
    stream = store.stream(cell)
    if stream is None:
        stream = ladder.encode(cell, frames)
        store.keep_stream(cell, stream)
    return ladder.shown(cell, stream, frames)


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
        left = lacking(cell, restorers, store, with_vmaf)
        if left and frames is None:
            frames = cell.clip.load()
            true = ladder.truth(frames, cell.clip.size)[FIRST_SCORED:]
            sent = ladder.sent(frames, cell.source)
        if left:
            rows = _rows(cell, decoded(cell, sent, store), true, left, with_vmaf)
            store.keep(cell, rows)
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
