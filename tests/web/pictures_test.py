"""The page for pictures in a real browser, and that nothing leaves it."""

import io
import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image
from skimage import data

import kdsharp
from kdsharp.media import pictures
from tests.web import browser, sites

pytestmark = pytest.mark.slow


_MADE = " s$"


def _photograph(width: int, height: int) -> Image.Image:
    """A photograph in colours that touch both ends."""
    picture = Image.fromarray(data.astronaut()).resize((width, height))
    return picture.point(lambda x: min(max(int(1.2 * x - 20), 0), 255))


def _rotated_jpeg() -> tuple[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    return "a.jpg", _file(_photograph(333, 211), "JPEG", quality=90, exif=exif)


def _grey_jpeg() -> tuple[str, bytes]:
    return "grey.jpeg", _file(_photograph(65, 97).convert("L"), "JPEG", quality=90)


def _translucent_png() -> tuple[str, bytes]:
    pixels = np.dstack(
        [np.asarray(_photograph(130, 95)), np.zeros((95, 130), np.uint8)]
    )
    pixels[:, 40:, 3] = 128
    pixels[:, 70:, 3] = 7
    pixels[:, 95:, 3] = 255
    # What is hidden is black, as most programs leave it.
    pixels[:, :40] = 0
    return "b.png", _file(Image.fromarray(pixels), "PNG")


def _large_webp() -> tuple[str, bytes]:
    return "c.webp", _file(_photograph(1201, 733), "WEBP", quality=80)


def _file(picture: Image.Image, format_: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_, **options)
    return file.getvalue()


class PicturesTest(browser.PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address, cls.asked_of_host = cls.enterClassContext(
            browser.host(sites.built())
        )

    def _open(self, **wishes):
        return self.open(self.address, **wishes)

    def _take(self, page, name: str, content: bytes) -> None:
        page.set_input_files("#file", {"name": name, "mimeType": "", "buffer": content})

    def _saved(self, page) -> tuple[str, bytes]:
        with page.expect_download() as download:
            page.click("#save")
        path = pathlib.Path(download.value.path())
        return download.value.suggested_filename, path.read_bytes()

    @parameterized.parameters(
        (_rotated_jpeg, sites.STUDENT, 1.0),
        (_grey_jpeg, sites.RGB, 1.0),
        (_translucent_png, sites.STUDENT, 1.5),
        (_large_webp, sites.STUDENT, 0.6),
    )
    def test_matches_the_command_line(self, make, network, strength):
        name, content = make()
        page = self._open()
        self._take(page, name, content)
        self.wait(page, "#status", _MADE)
        page.fill("#strength", str(strength))
        page.select_option("#student", network)
        self.wait(page, "#status", f"{network} .*{_MADE}")
        saved_name, file = self._saved(page)
        self.assertEqual(saved_name, f"{name.split('.')[0]}.{network}.png")
        saved = np.asarray(Image.open(io.BytesIO(file)))
        read = pictures.read(content).pixels
        wanted = kdsharp.load(network)(read, strength=strength)
        if wanted.ndim == 2:
            wanted = np.repeat(wanted[..., None], 3, axis=-1)
            read = np.repeat(read[..., None], 3, axis=-1)
        self.assertEqual(saved.shape, wanted.shape)
        if saved.shape[-1] == 4:
            # A browser need not keep the colour of what nobody sees.
            np.testing.assert_array_equal(saved[..., 3], wanted[..., 3])
            seen = wanted[..., 3] > 0
            saved, wanted, read = saved[seen], wanted[seen], read[seen]
        apart = np.abs(saved.astype(int) - wanted)
        self.assertLessEqual(apart.max(), 2)
        self.assertLess(apart.mean(), 0.05)
        self.assertGreater(np.abs(read.astype(int) - wanted).mean(), 0.3)
        self.assertEmpty(page.complaints)

    def test_views_move_together_and_show_the_pixels(self):
        photograph = _photograph(320, 240)
        page = self._open(viewport={"width": 1200, "height": 800})
        self._take(page, "a.png", _file(photograph, "PNG"))
        self.wait(page, "#status", _MADE)
        sharp = kdsharp.load(sites.STUDENT)(np.asarray(photograph))
        page.focus("#stage")
        page.keyboard.press("1")
        self.wait(page, "#zoom-told", "^100 %$")
        for key in ("+", "+", "+"):
            page.keyboard.press(key)
        self.wait(page, "#zoom-told", "^195 %$")
        before = self._middles(page)
        page.keyboard.press("ArrowRight")
        page.mouse.move(300, 400)
        page.mouse.down()
        page.mouse.move(250, 380, steps=3)
        page.mouse.up()
        page.keyboard.press("1")
        page.mouse.wheel(0, -400)
        self.wait(page, "#zoom-told", "^200 %$")
        after = self._middles(page)
        self.assertNotEqual(before, after)
        for found in (before, after):
            for picture, middle in zip(
                (np.asarray(photograph), sharp), found, strict=True
            ):
                # Somewhere in both, and at the same place in both.
                places = np.abs(picture.astype(int) - middle).max(-1) <= 2
                self.assertTrue(places.any())
        same = (np.abs(np.asarray(photograph).astype(int) - after[0]).max(-1) <= 2) & (
            np.abs(sharp.astype(int) - after[1]).max(-1) <= 2
        )
        self.assertTrue(same.any())

    def _middles(self, page) -> list[list[int]]:
        """The colour in the middle of each view."""
        self.wait_until_painted(page)
        return page.evaluate(
            """() => [...document.querySelectorAll("#stage canvas")].map((canvas) => {
              const { width, height } = canvas;
              const [x, y] = [Math.floor(width / 2), Math.floor(height / 2)];
              const data = canvas.getContext("2d").getImageData(x, y, 1, 1).data;
              return [...data.slice(0, 3)];
            })"""
        )

    def test_the_slider_divides_input_from_result_and_is_dragged(self):
        photograph = _photograph(200, 150)
        page = self._open(viewport={"width": 1000, "height": 800})
        self._take(page, "a.png", _file(photograph, "PNG"))
        self.wait(page, "#status", _MADE)
        page.select_option("#layout", "slider")
        page.focus("#stage")
        page.keyboard.press("1")
        sharp = kdsharp.load(sites.STUDENT)(np.asarray(photograph))
        for part, wanted in ((100, np.asarray(photograph)), (0, sharp)):
            page.fill("#divider", str(part))
            self.wait_until_painted(page)
            shown = page.evaluate(
                """() => {
                  const canvas = document.querySelector("#stage canvas");
                  const [x, y] = [canvas.width / 2 - 100, canvas.height / 2 - 75];
                  const context = canvas.getContext("2d");
                  return [...context.getImageData(x, y, 200, 150).data];
                }"""
            )
            shown = np.reshape(shown, (150, 200, 4))[..., :3]
            self.assertLessEqual(np.abs(shown - wanted.astype(int)).max(), 2)
        page.fill("#divider", "50")
        box = page.locator("#stage canvas").bounding_box()
        height = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] / 2, height)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.25, height, steps=4)
        page.mouse.up()
        self.assertAlmostEqual(float(page.input_value("#divider")), 25, delta=1)

    def test_processing_can_be_cancelled_and_restarted(self):
        page = self._open()
        self._take(page, "a.webp", _large_webp()[1])
        self.wait(page, "#status", _MADE)
        page.select_option("#student", sites.TAUGHT)
        self.wait(page, "#status", f"{sites.TAUGHT} .*{_MADE}")
        page.select_option("#teacher", sites.TEACHER)
        page.click("#cancel")
        self.wait(page, "#status", "^Cancelled")
        self.assertFalse(page.is_visible("#progress-bar"))
        self.assertEqual(page.locator("#stage canvas").count(), 2)
        self._take(page, "b.png", _file(_photograph(90, 80), "PNG"))
        self.wait(page, "#status", f"b.png.*{sites.TEACHER} .*{_MADE}")
        self.assertEqual(page.locator("#stage canvas").count(), 3)

    def test_a_student_is_shown_beside_none_but_its_own_teacher(self):
        page = self._open()
        self._take(page, "a.png", _file(_photograph(90, 80), "PNG"))
        self.wait(page, "#status", _MADE)
        self.assertEqual(page.input_value("#student"), sites.STUDENT)
        self.assertFalse(page.is_visible("#teacher"))
        page.select_option("#student", sites.TAUGHT)
        offered = page.locator("#teacher option").evaluate_all(
            "options => options.map((option) => option.value)"
        )
        self.assertEqual(offered, ["none", sites.TEACHER])
        page.select_option("#teacher", sites.TEACHER)
        self.wait(page, "#status", f"{sites.TAUGHT} .*{sites.TEACHER} .*{_MADE}")
        self.assertEqual(page.locator("#stage canvas").count(), 3)
        page.select_option("#student", sites.RGB)
        self.wait(page, "#status", f"{sites.RGB} .*{_MADE}")
        self.assertNotIn(sites.TEACHER, page.inner_text("#status"))
        self.assertFalse(page.is_visible("#teacher"))
        self.assertEqual(page.locator("#stage canvas").count(), 2)

    def test_unreadable_files_are_one_sentence(self):
        whole = _file(_photograph(90, 80), "PNG")
        side = (20_000).to_bytes(4, "big")
        page = self._open()
        for name, content, words in (
            ("a.txt", b"no picture at all", "a.txt is not a JPG, PNG or WebP"),
            ("empty.png", b"", "empty.png is not a JPG, PNG or WebP"),
            ("cut.png", whole[:60], "cut.png is damaged"),
            (
                "bomb.png",
                whole[:16] + side + side + whole[24:],
                "bomb.png is too large: 400.0 megapixels",
            ),
        ):
            self._take(page, name, content)
            self.wait(page, "#problem", words)
        self._take(page, "good.png", whole)
        self.wait(page, "#status", _MADE)
        self.assertFalse(page.is_visible("#problem"))

    def test_accepts_pasted_and_dropped_files(self):
        page = self._open()
        for way, width in (("paste", 40), ("drop", 44)):
            page.evaluate(
                """async ([way, bytes]) => {
                  const data = new DataTransfer();
                  data.items.add(new File([new Uint8Array(bytes)], "a.png"));
                  const event = way === "paste"
                    ? new ClipboardEvent(way, { clipboardData: data, bubbles: true })
                    : new DragEvent(way, { dataTransfer: data, bubbles: true });
                  document.body.dispatchEvent(event);
                }""",
                [way, list(_file(_photograph(width, 30), "PNG"))],
            )
            self.wait(page, "#status", f"{width}x30.*{_MADE}")

    def test_saves_other_formats(self):
        page = self._open()
        photograph = _photograph(120, 90)
        self._take(page, "a.png", _file(photograph, "PNG"))
        self.wait(page, "#status", _MADE)
        sharp = kdsharp.load(sites.STUDENT)(np.asarray(photograph))
        for kind, format_, ending in (
            ("jpeg", "JPEG", "jpg"),
            ("webp", "WEBP", "webp"),
        ):
            page.select_option("#save-as", kind)
            name, file = self._saved(page)
            self.assertEqual(name, f"a.{sites.STUDENT}.{ending}")
            with Image.open(io.BytesIO(file)) as image:
                self.assertEqual((image.format, image.size), (format_, (120, 90)))
                apart = np.abs(np.asarray(image.convert("RGB")).astype(int) - sharp)
            self.assertLess(apart.mean(), 4)

    def test_by_keyboard_alone(self):
        page = self._open()
        self.tab_to(page, "#file")
        choosers = []
        page.on("filechooser", lambda chooser: choosers.append(chooser))
        self.press(page, "Enter", lambda: bool(choosers))
        photograph = _photograph(70, 60)
        choosers[0].set_files(
            {"name": "a.png", "mimeType": "", "buffer": _file(photograph, "PNG")}
        )
        self.wait(page, "#status", _MADE)
        self.tab_to(page, "#strength")
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        self.wait(page, "#strength-told", "0.80")
        page.wait_for_selector("#cancel", state="hidden")
        self.tab_to(page, "#layout")
        slider = lambda: page.input_value("#layout") == "slider"  # noqa: E731
        self.press(page, "ArrowDown", slider)
        self.tab_to(page, "#stage")
        page.keyboard.press("1")
        self.tab_to(page, "#divider")
        page.keyboard.press("Home")
        self.assertEqual(page.input_value("#divider"), "0")
        self.tab_to(page, "#save")
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        saved = np.asarray(Image.open(download.value.path())).astype(int)
        wanted = kdsharp.load(sites.STUDENT)(np.asarray(photograph), strength=0.8)
        self.assertLessEqual(np.abs(saved - wanted).max(), 2)
        self.tab_to(page, "#tab-pictures", "Shift+Tab")
        page.keyboard.press("ArrowRight")
        self.assertTrue(page.is_visible("#camera"))
        page.keyboard.press("End")
        self.assertTrue(page.is_visible("#guide"))

    def test_all_controls_are_labelled(self):
        page = self._open()
        self._take(page, "a.png", _file(_photograph(70, 60), "PNG"))
        self.wait(page, "#status", _MADE)
        page.select_option("#layout", "slider")
        for tab in ("#tab-pictures", "#tab-camera", "#tab-guide"):
            page.click(tab)
            told = page.locator("body").aria_snapshot()
            self.assertNotRegex(
                told, r"(?m)^\s*- (button|combobox|slider|img|checkbox|link)(:|$| \[)"
            )
        self.assertIn('heading "kdsharp" [level=1]', told)

    @parameterized.parameters("light", "dark")
    def test_fits_a_phone(self, scheme):
        page = self._open(
            viewport={"width": 360, "height": 740},
            has_touch=True,
            is_mobile=True,
            color_scheme=scheme,
        )
        self._take(page, "a.png", _file(_photograph(300, 200), "PNG"))
        self.wait(page, "#status", _MADE)
        for tab in ("#tab-pictures", "#tab-camera", "#tab-guide"):
            page.tap(tab)
            wide = page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(wide, 360)
        ink, paper = (
            page.evaluate(f"getComputedStyle(document.body).{name}")
            for name in ("color", "backgroundColor")
        )
        bright = [_luminance(colour) for colour in (ink, paper)]
        self.assertEqual(bright[0] > bright[1], scheme == "dark")
        # WCAG 2's enhanced contrast.
        self.assertGreater((max(bright) + 0.05) / (min(bright) + 0.05), 7)

    def test_requests_to_other_origins_are_neither_made_nor_allowed(self):
        page = self._open()
        self._take(page, "a.jpg", _rotated_jpeg()[1])
        self.wait(page, "#status", _MADE)
        self.assertNotEmpty(page.asked)
        for url in page.asked:
            self.assertRegex(url, f"^(blob:)?{self.address}")
        self.assertTrue(page.evaluate("crossOriginIsolated"))
        with browser.host(self.folder) as (elsewhere, seen):
            (self.folder / "x.js").write_text("export default 1;")
            tried = page.evaluate(
                """async (elsewhere) => {
                  const url = elsewhere + "x.js";
                  const fails = async (what) => {
                    try { return `${await what()}`; } catch { return "refused"; }
                  };
                  const load = (tag) => new Promise((yes, no) => {
                    const element = document.createElement(tag);
                    [element.onload, element.onerror] = [yes, no];
                    element.src = url;
                    document.body.append(element);
                  });
                  // A beacon answers nothing: the page's policy tells that it refused.
                  const beacon = () => new Promise((yes) => {
                    document.addEventListener("securitypolicyviolation", (told) =>
                      told.blockedURI === url && yes("refused"));
                    navigator.sendBeacon(url, "x");
                  });
                  const inWorker = () => new Promise((yes, no) => {
                    const worker = new Worker("engine/worker.js", { type: "module" });
                    worker.onmessage = ({ data }) => data.failed ? no() : yes("ran");
                    const network = { url, channels: 1, radius: 8, multiple: 2 };
                    const pixels = new Uint8ClampedArray(16);
                    const picture = { width: 2, height: 2, pixels };
                    const capabilities = { by: "wasm", threads: 1 };
                    worker.postMessage({ id: 1, task: "begin", capabilities });
                    worker.postMessage({ id: 2, task: "picture", picture });
                    worker.onmessage = ({ data }) => {
                      if (data.id === 3) data.failed ? no() : yes("ran");
                    };
                    const task = "restore";
                    worker.postMessage({ id: 3, task, network, strength: 1 });
                  });
                  return [
                    await fails(() => fetch(url, { mode: "no-cors" })),
                    await fails(() => load("img")),
                    await fails(() => load("script")),
                    await fails(() => import(url)),
                    await fails(inWorker),
                    await beacon(),
                  ];
                }""",
                elsewhere,
            )
            self.assertEqual(tried, ["refused"] * 6)
            self.assertEmpty(seen)


def _luminance(colour: str) -> float:
    """The relative luminance of rgb(r, g, b), as defined by WCAG."""
    numbers = [int(x) / 255 for x in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in numbers
    ]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


if __name__ == "__main__":
    absltest.main()
