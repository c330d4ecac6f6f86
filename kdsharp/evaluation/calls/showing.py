"""Writes crops and videos that compare decoded with restored frames."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kdsharp.base import atomic_files
from kdsharp.data.clips import codecs
from kdsharp.evaluation import samples
from kdsharp.evaluation.calls import judging, ladder, measures
from kdsharp.evaluation.calls.clips import PAN, STILL
from kdsharp.evaluation.calls.ladder import Cell
from kdsharp.evaluation.calls.restorers import NetworkRestorer
from kdsharp.evaluation.calls.store import Store
from kdsharp.evaluation.quality.restorers import INPUT

_SIZE, _SCALE = 112, 2
_CROPS = 4
_CAPTION = 18
_QUALITY = {"crf": "14", "preset": "veryfast"}


def write(
    cells: Sequence[Cell],
    networks: Sequence[NetworkRestorer],
    store: Store,
    folder: Path,
) -> list[Path]:
    """Writes crops for each source and a video for each network; returns the paths."""
    rates = sorted({cell.rate for cell in cells if cell.rate})
    if not rates or not networks:
        return []
    middle = rates[(len(rates) - 1) // 2]
    codec = next(cell.codec for cell in cells if cell.rate)
    selected = [cell for cell in cells if (cell.rate, cell.codec) == (middle, codec)]
    written = []
    for source in dict.fromkeys(cell.source for cell in selected):
        of_source = [cell for cell in selected if cell.source == source]
        chosen = [cell for cell in of_source if cell.clip.motion != PAN][:_CROPS]
        path = folder / f"crops-{source}.png"
        with atomic_files.atomic_write(path) as unfinished:
            _crops(chosen, networks, store).save(unfinished)
        written.append(path)
    for network in networks:
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in network.name)
        path = folder / f"{name}.mp4"
        with atomic_files.atomic_write(path) as unfinished:
            _video(_video_cells(selected), network, store, unfinished)
        written.append(path)
    return written


def _crops(
    cells: Sequence[Cell], networks: Sequence[NetworkRestorer], store: Store
) -> Image.Image:
    """Draws the busiest crop of the last frame of each clip, with its PSNR."""
    rows, notes = [], []
    for cell in cells:
        frames = cell.clip.load()
        true = ladder.true_luma(frames[-1:], cell.clip.size)
        played = judging.decode_cell(
            cell, ladder.camera_frames(frames, cell.source), store
        )
        last = {INPUT: codecs.luma(played[-1])}
        last |= {network.name: list(network(played))[-1] for network in networks}
        last["truth"] = true[0]
        pictures = {
            name: measures.to_unit_range(plane[None])[0] for name, plane in last.items()
        }
        crop = samples.busiest_crop(pictures["truth"][..., None], _SIZE)
        cut = {name: picture[crop] for name, picture in pictures.items()}
        rows.append(
            {
                n: x.repeat(_SCALE, 0).repeat(_SCALE, 1)[..., None]
                for n, x in cut.items()
            }
        )
        psnr = {
            name: measures.psnr(x[None], cut["truth"][None])[0]
            for name, x in cut.items()
        }
        notes.append({name: f"{value:.2f} dB" for name, value in psnr.items()})
        notes[-1]["truth"] = f"{cell.clip.name}, {cell.rate} kbit/s"
    return samples.grid(rows, notes)


def _video_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Chooses a moving and a still clip for each source."""
    chosen = []
    for source in dict.fromkeys(cell.source for cell in cells):
        here = [cell for cell in cells if cell.source == source]
        moving = [cell for cell in here if cell.clip.motion != STILL]
        still = [cell for cell in here if cell.clip.motion == STILL]
        chosen += [*moving[:1], *(still[1:2] or still[:1])]
    return chosen


def _video(
    cells: Sequence[Cell], network: NetworkRestorer, store: Store, path: Path
) -> None:
    av = codecs.require_av()
    sizes = [cell.clip.size for cell in cells]
    width, height = (max(sides) for sides in zip(*sizes, strict=True))
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=codecs.FPS, options=_QUALITY)
        stream.width, stream.height = 2 * width, height + _CAPTION
        stream.pix_fmt = "yuv420p"
        number = 0
        for cell in cells:
            for before, after in _pairs(cell, network, store):
                pixels = _side_by_side(cell, network, before, after, (width, height))
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, codecs.FPS)
                container.mux(stream.encode(frame))
                number += 1
        container.mux(stream.encode())


def _pairs(cell: Cell, network: NetworkRestorer, store: Store) -> Iterator[tuple]:
    """Yields pairs of decoded and restored frames."""
    played = judging.decode_cell(
        cell, ladder.camera_frames(cell.clip.load(), cell.source), store
    )
    return zip(played, network.video(played), strict=True)


def _side_by_side(
    cell: Cell, network: NetworkRestorer, before, after, size: tuple[int, int]
) -> np.ndarray:
    """Draws two frames side by side with captions."""
    width, height = size
    sheet = Image.new("RGB", (2 * width, height + _CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    said = f"{cell.source}, {cell.codec}, {cell.rate} kbit/s"
    for left, words, frame in ((0, said, before), (width, network.name, after)):
        draw.text((left + 4, 1), words, fill="black", font=font)
        sheet.paste(Image.fromarray(codecs.rgb(frame)), (left, _CAPTION))
    return np.asarray(sheet)
