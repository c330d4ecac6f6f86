"""Renders random screen content: documents, code, slides, tables and chats.

Uses the free fonts that Matplotlib and Pillow include (DejaVu, STIX, Aileron), in the
scripts that they cover.
"""

import functools
import pathlib
import random

from PIL import Image, ImageDraw, ImageFont

SIZE = (960, 640)

# Letters and weights of scripts that DejaVu covers: Latin, Greek, Cyrillic, Armenian,
# Georgian, digits.
_SCRIPTS = (
    ("abcdefghijklmnopqrstuvwxyzeeeaaiiotnsr", 14),
    ("αβγδεζηθικλμνξοπρστυφχψω", 1),
    ("абвгдежзийклмнопрстуфхцчшщъыьэюя", 2),
    ("աբգդեզէըթժիլխծկհձղճմ", 1),
    ("აბგდევზთიკლმნოპჟრსტუ", 1),
    ("0123456789.,%", 2),
)
_FONTS = (
    ("DejaVuSans.ttf", 6),
    ("DejaVuSans-Bold.ttf", 2),
    ("DejaVuSansMono.ttf", 3),
    ("DejaVuSerif.ttf", 3),
    ("DejaVuSans-Oblique.ttf", 1),
    ("STIXGeneral.ttf", 2),
    ("", 3),  # Pillow's own.
)


def page(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Renders the page of a seed; `size` is (width, height), at least 480x320."""
    rng = random.Random(f"page/{seed}")
    dark = rng.random() < 0.35
    image = Image.new("RGB", size, _tint(rng, dark))
    draw = ImageDraw.Draw(image)
    left = top = 0
    if rng.random() < 0.5:
        top = _title_bar(rng, draw, size[0], dark)
    if rng.random() < 0.35:
        left = _side_bar(rng, draw, (top, size[1]), dark)
    kinds = (_document, _document, _code, _slide, _table, _chat)
    rng.choice(kinds)(rng, draw, (left, top, *size), dark)
    return image


def _tint(rng: random.Random, dark: bool) -> tuple[int, int, int]:
    base = rng.randint(8, 60) if dark else rng.randint(225, 255)
    red, green, blue = (min(255, max(0, base + rng.randint(-8, 8))) for _ in range(3))
    return red, green, blue


def _ink(rng: random.Random, dark: bool, grey: float = 0.7) -> tuple[int, int, int]:
    if rng.random() < grey:
        base = rng.randint(200, 255) if dark else rng.randint(0, 70)
        return (base, base, base)
    low, high = (110, 255) if dark else (0, 170)
    red, green, blue = (rng.randint(low, high) for _ in range(3))
    return red, green, blue


@functools.lru_cache(maxsize=64)
def _font(name: str, height: int) -> ImageFont.FreeTypeFont:
    if not name:
        font = ImageFont.load_default(height)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    import matplotlib

    folder = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / name, height)


def _any_font(rng: random.Random, height: int) -> ImageFont.FreeTypeFont:
    names, shares = zip(*_FONTS, strict=True)
    return _font(rng.choices(names, shares)[0], height)


def _words(rng: random.Random, count: int) -> str:
    scripts, shares = zip(*_SCRIPTS, strict=True)
    letters = rng.choices(scripts, shares)[0]
    words = []
    for _ in range(count):
        word = "".join(rng.choice(letters) for _ in range(rng.randint(1, 10)))
        words.append(word.capitalize() if rng.random() < 0.15 else word)
    return " ".join(words)


def _lines(rng, draw, area, font, height, ink, *, gap=1.35):
    """Fills an area with lines of words; returns the row below the last line."""
    left, top, right, bottom = area
    while top + height < bottom:
        text = _words(rng, rng.randint(3, 16))
        while text and draw.textlength(text, font) > right - left:
            text = text.rpartition(" ")[0]
        draw.text((left, top), text, ink, font)
        top += round(height * gap)
        if rng.random() < 0.12:
            top += round(height * 0.8)
    return top


def _title_bar(rng, draw, width, dark) -> int:
    height = rng.randint(22, 40)
    fill = _tint(rng, not dark if rng.random() < 0.3 else dark)
    fill = tuple(max(0, part - 25) for part in fill)
    draw.rectangle((0, 0, width, height), fill)
    text = (230, 230, 230) if sum(fill) < 380 else (30, 30, 30)
    size = rng.randint(10, 15)
    draw.text((rng.randint(8, 90), 6), _words(rng, 3), text, _any_font(rng, size))
    for button in range(3):
        x = width - 18 - 22 * button
        draw.ellipse(
            (x - 6, height // 2 - 6, x + 6, height // 2 + 6), _ink(rng, dark, 0)
        )
    return height + 1


def _side_bar(rng, draw, rows, dark) -> int:
    width = rng.randint(90, 200)
    fill = tuple(max(0, part - 14) for part in _tint(rng, dark))
    draw.rectangle((0, rows[0], width, rows[1]), fill)
    size = rng.randint(9, 14)
    area = (10, rows[0] + 10, width - 6, rows[1])
    _lines(rng, draw, area, _any_font(rng, size), size, _ink(rng, dark), gap=1.9)
    return width + 1


def _document(rng, draw, area, dark) -> None:
    left, top, right, bottom = area
    columns = rng.choice((1, 1, 1, 2))
    margin = rng.randint(12, 60)
    size = rng.choice((8, 9, 10, 11, 12, 13, 14, 16, 18))
    heading = _any_font(rng, round(size * rng.uniform(1.3, 2.4)))
    draw.text((left + margin, top + 12), _words(rng, 4), _ink(rng, dark), heading)
    top += 16 + round(2.6 * size)
    width = (right - left - margin * (columns + 1)) // columns
    font, ink = _any_font(rng, size), _ink(rng, dark)
    for column in range(columns):
        x = left + margin + column * (width + margin)
        _lines(rng, draw, (x, top, x + width, bottom), font, size, ink)


def _code(rng, draw, area, dark) -> None:
    left, top, right, bottom = area
    size = rng.choice((9, 10, 11, 12, 13, 14))
    font = _font("DejaVuSansMono.ttf", size)
    inks = [_ink(rng, dark, 0) for _ in range(4)] + [_ink(rng, dark, 1)]
    row, number, indent = top + 8, 1, 0
    step = round(size * 1.4)
    while row + size < bottom:
        draw.text((left + 6, row), f"{number:3}", (128, 128, 128), font)
        indent = min(6, max(0, indent + rng.choice((-1, 0, 0, 0, 1))))
        x = left + 40 + indent * size * 2
        for _ in range(rng.randint(0, 7)):
            token = rng.choice(
                (_words(rng, 1), "(", ") =", "[0]", "{", "};", "==", "->", "# ", "'x'")
            )
            draw.text((x, row), token, rng.choice(inks), font)
            x += draw.textlength(token + " ", font)
            if x > right - 40:
                break
        row, number = row + step, number + 1


def _slide(rng, draw, area, dark) -> None:
    left, top, right, bottom = area
    size = rng.choice((18, 20, 24, 28, 32))
    font = _any_font(rng, size)
    draw.text(
        (left + 40, top + 20),
        _words(rng, 3),
        _ink(rng, dark),
        _any_font(rng, round(1.6 * size)),
    )
    row = top + 40 + 2 * size
    middle = (left + right) // 2
    for _ in range(rng.randint(2, 6)):
        draw.ellipse((left + 40, row + size // 3, left + 48, row + size // 3 + 8))
        draw.text((left + 60, row), _words(rng, 3), _ink(rng, dark), font)
        row += round(1.8 * size)
    _chart(rng, draw, (middle, top + 90, right - 40, bottom - 60), dark)


def _chart(rng, draw, area, dark) -> None:
    left, top, right, bottom = area
    ink = _ink(rng, dark, 1)
    draw.line((left, top, left, bottom, right, bottom), ink, rng.choice((1, 2)))
    count = rng.randint(4, 12)
    step = (right - left) / count
    points = []
    for bar in range(count):
        height = rng.uniform(0.1, 0.95) * (bottom - top)
        x = left + (bar + 0.2) * step
        points.append((x + 0.3 * step, bottom - height))
        if count < 9:
            draw.rectangle(
                (x, bottom - height, x + 0.6 * step, bottom - 1), _ink(rng, dark, 0)
            )
        draw.text((x, bottom + 4), str(bar), ink, _any_font(rng, 10))
    if count >= 7:
        draw.line(points, _ink(rng, dark, 0), rng.choice((1, 2, 3)))


def _table(rng, draw, area, dark) -> None:
    left, top, right, bottom = area
    size = rng.choice((8, 9, 10, 11, 12, 14))
    font, ink = _any_font(rng, size), _ink(rng, dark)
    grid = tuple(part // 2 + 64 for part in _tint(rng, dark))
    height, width = size + rng.randint(6, 12), rng.randint(60, 130)
    for number, row in enumerate(range(top, bottom, height)):
        if number % 2 and rng.random() < 0.6:
            stripe = tuple(max(0, part - 12) for part in _tint(rng, dark))
            draw.rectangle((left, row, right, row + height), stripe)
        draw.line((left, row, right, row), grid)
        for x in range(left, right, width):
            text = f"{rng.uniform(0, 10 ** rng.randint(1, 5)):,.2f}"
            if rng.random() < 0.35:
                text = _words(rng, 1)
            draw.text((x + 5, row + 3), text, ink, font)
    for x in range(left, right, width):
        draw.line((x, top, x, bottom), grid)


def _chat(rng, draw, area, dark) -> None:
    left, top, right, bottom = area
    size = rng.choice((10, 11, 12, 13, 14, 15))
    font = _any_font(rng, size)
    row = top + 10
    while row < bottom:
        lines = rng.randint(1, 4)
        width = rng.randint(120, max(140, (right - left) * 2 // 3))
        height = round(lines * size * 1.4) + 16
        x = rng.choice((left + 16, max(left + 16, right - width - 16)))
        fill = tuple(rng.randint(40, 240) for _ in range(3))
        draw.rounded_rectangle((x, row, x + width, row + height), 10, fill)
        text = (255, 255, 255) if sum(fill) < 380 else (20, 20, 20)
        inner = (x + 10, row + 8, x + width - 10, row + height)
        _lines(rng, draw, inner, font, size, text)
        row += height + rng.randint(6, 20)
