"""Renders the true frames of a clip from photographs, pages or videos."""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from kdsharp.data.clips import screens
from kdsharp.data.clips.recipes import FRAMES, HEIGHT, WIDTH


class Originals(Protocol):
    """Access to photographs and videos by name."""

    def photograph(self, name: str) -> Image.Image:
        """Decodes a photograph, RGB."""
        ...

    def video(self, name: str, place: float) -> Iterator[Image.Image]:
        """Yields frames of a video, from a position between 0 and 1 on."""
        ...


_SIZE = (WIDTH, HEIGHT)


def frames(scene: Mapping[str, Any], originals: Originals) -> Iterator[Image.Image]:
    """Yields the true frames; unchanged frames are the same object."""
    cut = scene.get("cut", FRAMES)
    for number, frame in enumerate(_single_scene(scene, originals)):
        if number == cut:
            break
        yield frame
    if cut < FRAMES:
        for number, frame in enumerate(_single_scene(scene["next"], originals)):
            if number >= cut:
                yield frame


def _single_scene(
    scene: Mapping[str, Any], originals: Originals
) -> Iterator[Image.Image]:
    if scene["kind"] == "screen":
        yield from _screen(scene)
        return
    if scene["kind"] == "video":
        yield from _video(scene, originals)
        return
    person = scene.get("person")
    picture = adjust_tone(originals.photograph(scene["file"]), scene["tone"])
    if scene["flip"]:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scene = {**scene, "at": _most_textured(scene, picture, _SIZE)}
    if person:
        other = originals.photograph(person["file"])
        person = person | {"at": _most_textured(person, other, _person_size(person))}
    last = None
    for number, box in enumerate(_boxes(scene, picture.size)):
        if last is None or box != last[0]:
            last = (box, picture.resize(_SIZE, Image.Resampling.BICUBIC, box=box))
        frame = last[1]
        if person:
            frame = frame.copy()
            _add_person(frame, person, other, number)
        yield frame


def _video(scene: Mapping[str, Any], originals: Originals) -> Iterator[Image.Image]:
    for frame in originals.video(scene["file"], scene["from"]):
        scale = min(scene["scale"], frame.width / WIDTH, frame.height / HEIGHT)
        left, top = (
            at * (side - scale * own)
            for at, side, own in zip(scene["at"], frame.size, _SIZE, strict=True)
        )
        box = (left, top, left + scale * WIDTH, top + scale * HEIGHT)
        shown = frame.resize(_SIZE, Image.Resampling.BICUBIC, box=box)
        if scene["flip"]:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield shown


def adjust_tone(picture: Image.Image, tone: list[float]) -> Image.Image:
    """Applies a gamma and a gain, unless `tone` is empty."""
    if not tone:
        return picture
    gamma, gain = tone
    table = [round(255 * gain * (level / 255) ** gamma) for level in range(256)]
    return picture.point(table * 3)


def _boxes(scene: Mapping[str, Any], size: tuple[int, int]) -> Iterator[tuple]:
    """Yields the window (left, top, right, bottom) on the photograph of each frame."""
    scale = min(scene["scale"], 0.95 * size[0] / WIDTH, 0.95 * size[1] / HEIGHT)
    hand = random.Random(scene["hand"])
    at = [0.0, 0.0]
    ends = [abs(v) * (FRAMES - 1) * scale for v in scene["pan"]]
    room = [side - scale * own for side, own in zip(size, _SIZE, strict=True)]
    free = [max(0.0, r - e) for r, e in zip(room, ends, strict=True)]
    start = [
        place * f + (e if v < 0 else 0)
        for place, f, e, v in zip(scene["at"], free, ends, scene["pan"], strict=True)
    ]
    for number in range(FRAMES):
        zoom = scale * (1 + scene["zoom"]) ** number
        zoom = min(zoom, size[0] / WIDTH, size[1] / HEIGHT)
        corner = []
        for axis in (0, 1):
            at[axis] = 0.9 * at[axis] + scene["shake"] * hand.gauss(0, 0.5)
            moved = scene["pan"][axis] * number + at[axis]
            most = size[axis] - zoom * _SIZE[axis]
            centred = (zoom - scale) * _SIZE[axis] / 2
            place = start[axis] + moved * scale - centred
            corner.append(min(max(place, 0.0), most))
        left, top = corner
        yield (left, top, left + zoom * WIDTH, top + zoom * HEIGHT)


def _add_person(
    frame: Image.Image, person: Mapping[str, Any], picture: Image.Image, number: int
) -> None:
    """Pastes a swaying ellipse of another photograph onto frame `number`."""
    width, height = _person_size(person)
    x, y = (
        place * side - own / 2 + sway * math.sin(2 * math.pi * number / period + phase)
        for place, side, own, sway, period, phase in zip(
            person["place"],
            _SIZE,
            (width, height),
            person["sway"],
            person["period"],
            person["phase"],
            strict=True,
        )
    )
    scale = min(
        person["scale"],
        0.9 * picture.width / (width + 2),
        0.9 * picture.height / (height + 2),
    )
    # Subpixel positions are reached by shifting the window on the photograph.
    left = person["at"][0] * (picture.width - scale * (width + 2)) + scale
    top = person["at"][1] * (picture.height - scale * (height + 2)) + scale
    left -= (x - math.floor(x)) * scale
    top -= (y - math.floor(y)) * scale
    cut = (left, top, left + scale * width, top + scale * height)
    face = picture.resize((width, height), Image.Resampling.BICUBIC, box=cut)
    frame.paste(face, (math.floor(x), math.floor(y)), _ellipse(width, height))


def _person_size(person: Mapping[str, Any]) -> tuple[int, int]:
    width, height = (
        max(24, round(part * side))
        for part, side in zip(person["size"], _SIZE, strict=True)
    )
    return width, height


def _most_textured(
    scene: Mapping[str, Any], picture: Image.Image, size: tuple[int, int]
) -> list[float]:
    """Chooses the candidate window with the most texture."""
    places = [scene["at"], *scene.get("others", [])]
    if len(places) == 1:
        return scene["at"]
    scale = min(
        scene["scale"], *(0.9 * p / s for p, s in zip(picture.size, size, strict=True))
    )
    textures = []
    for place in places:
        left, top = (
            at * (side - scale * own)
            for at, side, own in zip(place, picture.size, size, strict=True)
        )
        box = (left, top, left + scale * size[0], top + scale * size[1])
        # At the scale of the clip, so that noise does not count as texture.
        grey = picture.resize(size, Image.Resampling.BOX, box=box).convert("L")
        textures.append(
            ImageStat.Stat(ImageChops.difference(grey, _moved(grey))).sum[0]
        )
    return places[textures.index(max(textures))]


def _moved(grey: Image.Image) -> Image.Image:
    return ImageChops.offset(grey, 1, 1)


def _ellipse(width: int, height: int) -> Image.Image:
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).ellipse((3, 3, width - 4, height - 4), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(1))


def _screen(scene: Mapping[str, Any]) -> Iterator[Image.Image]:
    page = screens.page(scene["page"])
    free = (page.width - WIDTH, page.height - HEIGHT)
    left, top = (round(at * room) for at, room in zip(scene["at"], free, strict=True))
    last = None
    for number in range(FRAMES):
        # At the end, scrolling reverses.
        row = (top + scene["scroll"] * number) % (2 * free[1])
        row = min(row, 2 * free[1] - row)
        if last is None or row != last[0]:
            last = (row, page.crop((left, row, left + WIDTH, row + HEIGHT)))
        yield last[1]
