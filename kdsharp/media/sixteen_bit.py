"""Pictures of 16 bits per channel, which Pillow reads as 8 bits and cannot write.

For reading, a picture is decoded twice: once normally, for the upper bytes, and once
with the byte order swapped, for the lower bytes. For writing, PNG and TIFF files are
assembled here, with headers written by Pillow.
"""

import io
import struct
import zlib

import numpy as np
from jaxtyping import Shaped, UInt8, UInt16
from PIL import Image, ImageFile

from kdsharp.media import metadata as meta
from kdsharp.media import tags

Pixels16 = UInt16[np.ndarray, "h w *c"]

# The raw mode of premultiplied alpha.
_MULTIPLIED = "RGBa;16"
# Suffixes of raw modes with the other byte order.
_SWAPPED = {"B": "L", "L": "B", "N": "B"}
LEVEL = 6
_ROWS = 64


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow would drop the lower byte of this opened picture."""
    modes = {_raw_mode(tile) for tile in image.tile}
    return bool(modes) and all(
        mode[:-1] in ("LA;16", "RGB;16", "RGBA;16", _MULTIPLIED) and mode[-1] in "BLN"
        for mode in modes
    )


def read(first: ImageFile.ImageFile, second: ImageFile.ImageFile) -> Pixels16:
    """Reads the pixels of a picture that was opened twice and not yet decoded."""
    if _raw_mode(first.tile[0]) == "LA;16B":
        # Read as any mode of four bytes per pixel.
        first.tile = [_with_raw_mode(tile, "RGBA") for tile in first.tile]
        first.load()
        return np.ascontiguousarray(first).view(">u2").astype(np.uint16)
    multiplied = _raw_mode(first.tile[0]).startswith(_MULTIPLIED)
    if multiplied:
        first.tile = [
            _with_raw_mode(tile, "RGBA;16" + _raw_mode(tile)[-1]) for tile in first.tile
        ]
    second.tile = [
        _with_raw_mode(tile, mode[:-1] + _SWAPPED[mode[-1]])
        for tile, mode in zip(second.tile, map(_raw_mode, first.tile), strict=True)
    ]
    first.load()
    second.load()
    upper, lower = np.asarray(first), np.asarray(second)
    pixels = upper.astype(np.uint16) << 8 | lower
    if multiplied:
        return _unpremultiply(pixels)
    return _with_alpha(pixels, first.info.get("transparency"))


def _unpremultiply(pixels: Pixels16) -> Pixels16:
    """Converts premultiplied to straight alpha; hidden colours become black."""
    alpha = pixels[..., 3:].astype(np.float64)
    colours = pixels[..., :3] * (65535 / np.maximum(alpha, 1))
    colours = np.rint(np.minimum(colours, 65535)).astype(np.uint16)
    return np.concatenate([colours, pixels[..., 3:]], axis=-1)


def _with_alpha(pixels: Pixels16, hidden: tuple[int, ...] | None) -> Pixels16:
    """Adds an alpha channel for the colour that is marked as transparent."""
    if not isinstance(hidden, tuple) or pixels.shape[-1] != 3:
        return pixels
    seen = (pixels != np.array(hidden, np.uint16)).any(axis=-1)
    return np.dstack([pixels, np.where(seen, 65535, 0).astype(np.uint16)])


def png(pixels: Pixels16, metadata: meta.Metadata) -> bytes:
    """Encodes a PNG."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    head = png_head(channels, metadata)
    colour = head[25:26]
    content = zlib.compressobj(LEVEL)
    parts = []
    before = np.zeros(width * channels * 2, np.uint8)
    for start in range(0, height, _ROWS):
        rows = pixels[start : start + _ROWS].astype(">u2").view(np.uint8)
        rows = rows.reshape(len(rows), -1)
        parts.append(content.compress(paeth_filter(rows, before, 2 * channels)))
        before = rows[-1]
    parts.append(content.flush())
    size = struct.pack(">LLB", width, height, 16) + colour + b"\0\0\0"
    chunks = []
    for name, body in png_chunks(head):
        if name == b"IHDR":
            body = size
        elif name == b"IDAT":
            body = b"".join(parts)
        checksum = zlib.crc32(name + body)
        chunks += [
            struct.pack(">L", len(body)),
            name,
            body,
            struct.pack(">L", checksum),
        ]
    return b"".join([head[:8], *chunks])


def tiff(pixels: Pixels16, metadata: meta.Metadata) -> bytes:
    """Encodes a TIFF, with Deflate and horizontal differencing."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.shape[-1] == 2:  # Pillow cannot read grey with alpha.
        pixels = pixels[..., [0, 0, 0, 1]]
    height = len(pixels)
    strips = [strip(pixels[at : at + _ROWS]) for at in range(0, height, _ROWS)]
    lengths = [len(strip) for strip in strips]
    directory = tiff_directory(pixels.shape, 16, lengths, metadata)
    file = io.BytesIO(b"II*\0\0\0\0\0" + b"".join(strips))
    tags.append(file, directory)
    return file.getvalue()


def tiff_directory(
    shape: tuple[int, int, int], bits: int, lengths: list[int], metadata: meta.Metadata
) -> tags.Directory:
    """The tags of a TIFF whose strips follow its first eight bytes."""
    height, width, channels = shape
    offsets = [8, *(8 + np.cumsum(lengths)[:-1])]
    across, down = metadata.dpi or (72, 72)
    directory = meta.for_tiff(metadata) | {
        256: tags.longs(width),
        257: tags.longs(height),
        258: tags.shorts(*[bits] * channels),
        259: tags.shorts(8),  # Deflate.
        262: tags.shorts(1 if channels < 3 else 2),
        273: tags.longs(*map(int, offsets)),
        277: tags.shorts(channels),
        278: tags.longs(_ROWS),
        279: tags.longs(*lengths),
        282: tags.rational(across),
        283: tags.rational(down),
        284: tags.shorts(1),
        296: tags.shorts(2),  # Inches.
        317: tags.shorts(2),  # Horizontal differencing.
    }
    if channels in (2, 4):
        directory[338] = tags.shorts(2)  # Straight alpha.
    return directory


def _raw_mode(tile) -> str:
    arguments = tile.args
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _with_raw_mode(tile, mode: str):
    rest = tile.args[1:] if isinstance(tile.args, tuple) else None
    return tile._replace(args=mode if rest is None else (mode, *rest))


def png_head(channels: int, metadata: meta.Metadata) -> bytes:
    """A PNG of one pixel with all the metadata."""
    file = io.BytesIO()
    Image.new({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels], (1, 1)).save(
        file,
        "PNG",
        exif=meta.with_prefix(metadata.exif),
        icc_profile=metadata.icc or None,
        dpi=metadata.dpi,
        pnginfo=meta.png_texts(metadata),
    )
    return file.getvalue()


def png_chunks(file: bytes):
    at = 8
    while at < len(file):
        length, name = struct.unpack_from(">L4s", file, at)
        yield name, file[at + 8 : at + 8 + length]
        at += 12 + length


def paeth_filter(
    rows: UInt8[np.ndarray, "n bytes"], before: UInt8[np.ndarray, " bytes"], step: int
) -> bytes:
    """Applies PNG's Paeth filter to rows."""
    up = np.vstack([before, rows[:-1]]).astype(np.int16)
    left = np.zeros_like(up)
    left[:, step:] = rows[:, :-step]
    corner = np.zeros_like(up)
    corner[:, step:] = up[:, :-step]
    to_left, to_up = np.abs(up - corner), np.abs(left - corner)
    to_corner = np.abs(up + left - 2 * corner)
    predicted = np.where(
        (to_left <= to_up) & (to_left <= to_corner),
        left,
        np.where(to_up <= to_corner, up, corner),
    )
    differences = (rows - predicted).astype(np.uint8)
    return np.insert(differences, 0, 4, axis=1).tobytes()


def strip(rows: Shaped[np.ndarray, "n w c"]) -> bytes:
    differences = rows.astype(rows.dtype.newbyteorder("<"))
    differences[:, 1:] -= rows[:, :-1]
    return zlib.compress(differences.tobytes(), LEVEL)
