"""Draws docs/images from the weights that ship: `python docs/site/pictures.py [NAME]`.

    call       a decoded frame of a call beside the restored one; needs kdsharp[video]
    tradeoff   the networks for bicubic:2, quality over operations
    pictures   the page with a picture; needs Chromium, npm and kdsharp[onnx]
    webcam     the page with a webcam; the same
    study      a picture of an opinion study; Chromium and kdsharp[serve]

Without a name it draws all. The photograph is scikit-image's astronaut (NASA, public
domain), which no network that ships learned from.
"""

import argparse
import contextlib
import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFilter, ImageFont

_ROOT = Path(__file__).parents[2]
_IMAGES = _ROOT / "docs/images"
_MODEL = "rt-t-call"
_SOURCE, _RATE, _CODEC = "half", 172, "h264"
_CAPTION, _GAP = 24, 4
_VIEW = {"width": 1280, "height": 820}
_WIDTH = 960


def call() -> None:
    """The last frame of a call at half size, as a player shows it and restored."""
    from kdsharp.evaluation.calls import clips, judging, ladder
    from kdsharp.evaluation.calls.restorers import NetworkRestorer
    from kdsharp.evaluation.calls.store import Store

    with _folder() as folder:
        photograph = folder / "astronaut.png"
        Image.fromarray(skimage.data.astronaut()).save(photograph)
        steps = ladder.Ladder(sources=(_SOURCE,), rates=(_RATE,), codecs=(_CODEC,))
        found, _ = clips.find(photograph, steps.window)
        [still] = [clip for clip in found if clip.motion == clips.STILL]
        [[cell]] = steps.groups([still])
        frames = ladder.camera_frames(still.load(), _SOURCE)
        played = judging.decode_cell(cell, frames, Store(folder / "store"))
        network = NetworkRestorer(_MODEL, backend="auto", dtype="float32")
        restored = list(network.video(played))[-1]
    captions = (f"decoded, {_RATE} kbit/s", f"restored by {_MODEL}")
    shown = [_rgb(frame) for frame in (played[-1], restored)]
    _side_by_side(shown, captions).save(_IMAGES / "call.jpg", quality=90)


def _rgb(frame) -> Image.Image:
    from kdsharp.data.clips import codecs

    picture = Image.fromarray(codecs.rgb(frame))
    return picture.crop((0, 0, picture.width, picture.width))


def _side_by_side(pictures: list[Image.Image], captions: tuple[str, ...]):
    width, height = pictures[0].size
    sheet = Image.new("RGB", (2 * width + _GAP, height + _CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for n, (picture, words) in enumerate(zip(pictures, captions, strict=True)):
        left = n * (width + _GAP)
        draw.text((left + 4, 3), words, fill="black", font=font)
        sheet.paste(picture, (left, _CAPTION))
    return sheet


def tradeoff() -> None:
    """PSNR on Set5 over operations of a frame, as the cards have them."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from kdsharp.evaluation.bench import operations
    from kdsharp.weights import store

    test = "Set5 (the same, enlarged without rounding as published)"
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in store.shipped():
        card = store.read_card(store.locate(name))
        if scores := card["scores"].get(test):
            gflop = operations.per_frame(card["model"], 720, 1280) / 1e9
            psnr = scores["network"]["psnr"]
            axes.plot(gflop, psnr, "o")
            axes.annotate(name, (gflop, psnr), (6, -4), textcoords="offset points")
    axes.set(xscale="log", xlim=(2, 6000), xlabel="GFLOP for a frame of 1280x720")
    axes.set_ylabel("Set5, bicubic:2, luma PSNR in dB")
    axes.grid(alpha=0.3)
    figure.savefig(_IMAGES / "tradeoff.png", dpi=100)


def pictures() -> None:
    """The page with a picture that the default network and its teacher sharpen."""
    photograph = Image.fromarray(skimage.data.astronaut())
    file = io.BytesIO()
    photograph.filter(ImageFilter.GaussianBlur(1.2)).save(file, "PNG")
    upload = {"name": "blur.png", "mimeType": "", "buffer": file.getvalue()}
    with _page(_MODEL) as page:
        page.set_input_files("#file", upload)
        _wait(page, r" s$")
        _save(page, "pictures")


def webcam() -> None:
    """The page with a webcam, the left half as it came."""
    from tests.web import cameras

    with _folder() as folder:
        film = folder / "film.y4m"
        cameras.write(film, 1280, 720)
        options = (
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        )
        with _page(_MODEL, *options) as page:
            page.click("text=Webcam")
            page.click("#start")
            page.wait_for_timeout(8000)
            _save(page, "webcam")


def study() -> None:
    """The first picture of an opinion study and its scales."""
    with _folder() as folder:
        (folder / "photographs").mkdir()
        photograph = Image.fromarray(skimage.data.astronaut())
        photograph.save(folder / "photographs/astronaut.png")
        # A study keeps one picture to learn by.
        mirrored = photograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.save(folder / "photographs/mirrored.png")
        made = ("--images", folder / "photographs", "--models", "input", _MODEL)
        _kdsharp("mos", "new", folder / "study", *made)
        command = _command("mos", "serve", folder / "study", "--port", 0)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                address = server.stdout.readline().split()[0]
                with _opened(address) as page:
                    page.click("#begin")
                    page.wait_for_timeout(2000)
                    _save(page, "study")
            finally:
                server.terminate()


@contextlib.contextmanager
def _page(model: str, *options: str) -> Iterator:
    """The page of a site with that network."""
    from tests.web import browser

    with _folder() as folder:
        _kdsharp("web", "build", folder / "site", "--models", model)
        with (
            browser.host(folder / "site") as (address, _),
            _opened(address, *options) as page,
        ):
            page.wait_for_selector("body[data-ready]", state="attached")
            yield page


@contextlib.contextmanager
def _opened(address: str, *options: str) -> Iterator:
    from tests.web import browser

    with browser.chromium(*options) as chromium:
        page = chromium.new_page(viewport=_VIEW)
        page.set_default_timeout(120_000)
        page.goto(address)
        yield page


def _wait(page, pattern: str) -> None:
    """Until the status of the page matches; its policy lets it evaluate nothing."""
    for _ in range(1200):
        if re.search(pattern, page.inner_text("#status")):
            return
        page.wait_for_timeout(100)
    raise TimeoutError(page.inner_text("#status"))


def _save(page, name: str) -> None:
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot = shot.convert("RGB").resize((_WIDTH, _WIDTH * shot.height // shot.width))
    shot.save(_IMAGES / f"{name}.jpg", quality=85)


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "kdsharp", *map(str, arguments)]


def _kdsharp(*arguments: object) -> None:
    subprocess.run(_command(*arguments), check=True)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


_DRAW = {draw.__name__: draw for draw in (call, tradeoff, pictures, webcam, study)}


def main() -> None:
    """Draws what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", choices=[*_DRAW, []], metavar="NAME")
    for name in parser.parse_args().names or _DRAW:
        _DRAW[name]()
        print(f"docs/images: {name}")


if __name__ == "__main__":
    sys.path.insert(0, str(_ROOT))  # For the tests' browser and camera.
    main()
