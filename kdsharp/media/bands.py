"""Large pictures, read and written in bands of rows.

PNGs and TIFFs are read in bands that are each handed to `pictures.read` as a small file
of the same kind, so that it means what it would within the whole. A JPEG is decoded
while it is read from disk, into memory that is given back as its rows are used. It is
written in strips that are encoded one by one and joined by restart markers. Progressive
JPEGs are the exception: each of their scans covers the whole picture.
"""

import io
import mmap
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from kdsharp.base import atomic_files
from kdsharp.errors import UserError
from kdsharp.media import jpeg, pictures, sixteen_bit, tags
from kdsharp.media import metadata as meta

Band = Shaped[np.ndarray, "rows w c"]

# Bytes of pixels in a band, which has at least one row.
_BYTES = 16_000_000
_ROWS = 64
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What decoders raise of a damaged file.
_DAMAGE = (
    *(UserError, OSError, LookupError, ValueError, SyntaxError),
    *(struct.error, zlib.error),
)
# Tags of a TIFF that differ in a band, and those by which its rows are not plain.
_HEIGHT, _OFFSETS, _LENGTHS, _ROWS_PER_STRIP = 257, 273, 279, 278
_ORIENTATION, _PLANAR, _TILES = 274, 284, 322
# Bytes of a JPEG that are decoded at once, and of a decoded pixel.
_PART, _STEP = 1 << 16, 4
_LONGEST_JPEG = 65500
# Markers of a JPEG: the frame headers of Huffman coding, the restart interval, the
# first of eight restart markers, the end of the picture.
_FRAMES, _INTERVAL, _RESTART, _END = (0xC0, 0xC1), 0xDD, 0xD0, b"\xff\xd9"
# Pillow's options that decide how pixels are encoded.
_TABLES = ("quality", "qtables", "subsampling")


class Rows:
    """A picture without alpha that is read from the top down, as often as asked for.

    It is indexed by slices of rows; `shape`, `dtype` and `len` are those of an array.
    """

    ndim = 3

    def __init__(self, source: "_Png | _Tiff | _Jpeg"):
        self._source = source
        first = source.first
        pixels = first.pixels
        channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
        self.metadata: meta.Metadata = first.metadata
        self.dtype = pixels.dtype
        self.shape = (source.height, pixels.shape[1], channels)
        self._start()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Band:
        """Returns rows, after which those above the first of them may be gone."""
        if rows.start < self._top:
            self._start()
        while self._top + len(self._held) < rows.stop:
            band = self._next().reshape(-1, *self.shape[1:])
            left = max(0, min(rows.start - self._top, len(self._held)))
            self._held = np.concatenate([self._held[left:], band])
            self._top += left
        return self._held[rows.start - self._top : rows.stop - self._top]

    def can_become(self, format_: str) -> bool:
        """Whether `write` writes it in that format."""
        if format_ == "JPEG":
            return self.dtype == np.uint8 and max(self.shape) <= _LONGEST_JPEG
        return format_ in _SAVERS

    def canvas(self) -> np.ndarray:
        """The memory of a progressive JPEG, RGBX, once rows have been read."""
        assert isinstance(self._source, _Jpeg) and self._source.canvas is not None
        return self._source.canvas

    def _next(self) -> np.ndarray:
        try:
            return next(self._coming)
        except StopIteration:
            raise UserError("it is damaged (rows are missing)") from None
        except _DAMAGE as error:
            reason = str(error).removeprefix("standard input: ")
            raise UserError(reason) from error

    def _start(self) -> None:
        self._coming = self._source.bands()
        self._held = np.empty((0, *self.shape[1:]), self.dtype)
        self._top = 0


def open_rows(path: Path) -> Rows | None:
    """Opens a picture to be read in bands; None if it has to be read whole."""
    try:
        with Image.open(path) as image:
            kind = {"PNG": _Png, "TIFF": _Tiff, "JPEG": _Jpeg}[image.format or ""]
            if getattr(image, "n_frames", 1) > 1:
                return None
        rows = Rows(kind(path))
    except (*_DAMAGE, Image.DecompressionBombError, MemoryError):
        return None  # To read it whole will say why.
    plain = rows.dtype in (np.uint8, np.uint16) and rows.shape[-1] in (1, 3)
    whole = rows.metadata.cmyk or rows.metadata.gain_map
    return rows if plain and not whole else None


def write(
    path: Path,
    format_: str,
    rows: Rows,
    bands: Iterable[Band],
    *,
    overwrite: bool = False,
) -> None:
    """Writes the bands of a picture of that shape and with that metadata."""
    save = _SAVERS[format_]
    try:
        with atomic_files.atomic_write(path) as unfinished:
            with unfinished.open("w+b") as file:
                save(file, rows, bands)
            if path.exists() and not overwrite:
                raise UserError(f"{path} exists: give another name, or --overwrite")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


class _Png:
    """A PNG of 8 or 16 bits, not interlaced."""

    def __init__(self, path: Path):
        self._path = path
        self._around: list[tuple[bytes, bytes]] = []
        with path.open("rb") as file:
            for name, length in _chunks(file):
                if name == b"IDAT":
                    self._around.append((name, b""))
                else:
                    self._around.append((name, file.read(length)))
        head = dict(self._around)[b"IHDR"]
        width, self.height, bits, colour, *_, interlaced = struct.unpack(
            ">LLBBBBB", head
        )
        if bits not in (8, 16) or colour not in (0, 2) or interlaced:
            raise UserError("its rows do not follow each other")
        self._step = bits // 8 * (3 if colour == 2 else 1)
        self._row = width * self._step
        self._at_once = max(1, _BYTES // self._row)
        first = self._file(b"\0" * (1 + self._row), 1)
        self.first = pictures.read(first)
        with Image.open(io.BytesIO(first)) as image:
            if meta.orientation(image) != 1:
                raise UserError("its rows are not those that are seen")

    def bands(self) -> Iterator[np.ndarray]:
        before = b"\0" * self._row
        waiting = bytearray()
        length = 1 + self._row
        for part in self._filtered():
            waiting += part
            while len(waiting) >= length * self._at_once:
                pixels, before = self._band(before, waiting[: length * self._at_once])
                del waiting[: length * self._at_once]
                yield pixels
        if waiting:
            yield self._band(before, waiting)[0]

    def _band(
        self, before: bytes, filtered: bytes | bytearray
    ) -> tuple[np.ndarray, bytes]:
        # The row above, as it is, is what the first one is told by.
        count = len(filtered) // (1 + self._row)
        small = self._file(b"\0" + before + bytes(filtered), 1 + count)
        pixels = pictures.read(small).pixels[1:]
        last = pixels[-1].astype(pixels.dtype.newbyteorder(">"))
        return pixels, last.tobytes()

    def _filtered(self) -> Iterator[bytes]:
        unpack = zlib.decompressobj()
        with self._path.open("rb") as file:
            for name, length in _chunks(file):
                if name != b"IDAT":
                    continue
                content = file.read(length)
                while content:
                    yield unpack.decompress(content, _BYTES)
                    content = unpack.unconsumed_tail
        yield unpack.flush()

    def _file(self, filtered: bytes, height: int) -> bytes:
        """Returns a PNG of these rows that says all else as the whole one."""
        packed = zlib.compress(filtered, 0)
        chunks, written = [], False
        for name, body in self._around:
            if name == b"IHDR":
                body = body[:4] + struct.pack(">L", height) + body[8:]
            elif name == b"IDAT":
                body, written = (b"", True) if written else (packed, True)
                if not body:
                    continue
            chunks.append(_chunk(name, body))
        return _SIGNATURE + b"".join(chunks)


class _Tiff:
    """A TIFF whose rows lie in strips."""

    def __init__(self, path: Path):
        self._path = path
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            self._order = content[:2]
            held: Any = content  # Read as bytes are, without a copy.
            self._tags = tags.parse(held)
            if content[2:4] not in (b"*\0", b"\0*"):
                raise UserError("it is a BigTIFF")
        (self.height,) = self._numbers(_HEIGHT)
        (width,) = self._numbers(256)
        self._offsets = self._numbers(_OFFSETS)
        self._lengths = self._numbers(_LENGTHS)
        (strip,) = self._numbers(_ROWS_PER_STRIP)
        self._strip = min(strip, self.height)
        row = width * sum(self._numbers(258)) // 8
        plain = self._numbers(_PLANAR, 1) == (1,) and _TILES not in self._tags
        if not plain or self._strip * row > 4 * _BYTES:
            raise UserError("its rows do not follow each other in strips")
        self._at_once = max(1, _BYTES // (row * self._strip))
        self.first = self._read(0, 1)
        if self._numbers(_ORIENTATION, 1) != (1,):
            raise UserError("its rows are not those that are seen")

    def bands(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self._offsets), self._at_once):
            yield self._read(first, self._at_once).pixels

    def _read(self, first: int, count: int) -> pictures.Picture:
        strips = slice(first, first + count)
        lengths, offsets, parts, at = self._lengths[strips], [], [], 8
        with self._path.open("rb") as file:
            for place, length in zip(self._offsets[strips], lengths, strict=True):
                file.seek(place)
                parts.append(file.read(length))
                offsets.append(at)
                at += length
        rows = min(self.height - first * self._strip, self._strip * len(lengths))
        small = self._tags | {
            _HEIGHT: tags.longs(rows),
            _OFFSETS: tags.longs(*offsets),
            _LENGTHS: tags.longs(*lengths),
            _ROWS_PER_STRIP: tags.longs(self._strip),
        }
        version = {b"II": b"*\0", b"MM": b"\0*"}[self._order]
        file = io.BytesIO(b"".join([self._order, version, bytes(4), *parts]))
        tags.append(file, small)
        return pictures.read(file.getvalue())

    def _numbers(self, tag: int, *default: int) -> tuple[int, ...]:
        entry = self._tags.get(tag)
        return entry.numbers() if isinstance(entry, tags.Tag) else default


class _Jpeg:
    """An upright JPEG, decoded by Pillow while its rows are asked for.

    A progressive JPEG has all of its rows only when its last scan is read.
    """

    def __init__(self, path: Path):
        self._path = path
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            if meta.orientation(image) != 1:
                raise UserError("its rows are not those that are seen")
            if image.mode not in ("L", "RGB"):
                raise UserError("its pixels are not those that are seen")
            self._channels = 1 if image.mode == "L" else 3
            self._width, self.height = image.size
            self.first = pictures.Picture(
                np.empty((1, self._width, self._channels), np.uint8),
                meta.of_image(image, content),
            )
        self._at_once = max(1, _BYTES // (self._width * self._channels))
        # The decoded pixels, if they are kept to be replaced and encoded as a whole.
        self.canvas: np.ndarray | None = None

    def bands(self) -> Iterator[np.ndarray]:
        memory = _pixel_memory(self.height * self._width * _STEP)
        canvas = np.frombuffer(memory, np.uint8)
        canvas = canvas.reshape(self.height, self._width, _STEP)
        is_kept = self.first.metadata.encoding["progressive"]
        if is_kept:
            self.canvas = canvas
        top = bottom = 0
        for _ in self._decoded(canvas):
            # The fourth byte of the last pixel is 255 once a row is decoded.
            while bottom < self.height and canvas[bottom, -1, -1]:
                bottom += 1
            while bottom - top >= self._at_once or top < bottom == self.height:
                end = min(top + self._at_once, bottom)
                yield canvas[top:end, :, : self._channels].copy()
                if not is_kept:
                    _free(memory, end * self._width * _STEP)
                top = end

    def _decoded(self, canvas: np.ndarray) -> Iterator[None]:
        """Decodes as RGBX, a part of the file after the other."""
        image = Image.frombuffer(
            "RGBX", (self._width, self.height), canvas, "raw", "RGBX", 0, 1
        )
        decoder = Image._getdecoder("RGBX", "jpeg", ("RGB", ""), (1, 0))
        decoder.setimage(image.im, (0, 0, self._width, self.height))
        waiting = b""
        with self._path.open("rb") as file:
            while part := file.read(_PART):
                waiting += part
                used, problem = decoder.decode(waiting)
                if problem < 0:
                    raise UserError("it is damaged (broken data stream)")
                yield
                if used < 0:
                    return
                waiting = waiting[used:]
        raise UserError("it is damaged (image file is truncated)")


def _pixel_memory(length: int) -> mmap.mmap:
    """Memory of zeros that can be given back in parts, where the system can."""
    if hasattr(mmap, "MAP_ANONYMOUS"):
        return mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, length)


def _free(memory: mmap.mmap, end: int) -> None:
    """Gives the memory before `end` back."""
    pages = end // mmap.PAGESIZE * mmap.PAGESIZE
    if hasattr(mmap, "MADV_DONTNEED") and pages:
        memory.madvise(mmap.MADV_DONTNEED, 0, pages)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yields name and length of each chunk; the file stands where its content does."""
    at = len(_SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        length, name = struct.unpack(">L4s", head)
        yield name, length
        at += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(name + body)
    return struct.pack(">L4s", len(body), name) + body + struct.pack(">L", checksum)


def _pieces(bands: Iterable[Band]) -> Iterator[Band]:
    """Yields the same rows, 64 at once but for the last."""
    held = None
    for band in bands:
        held = band if held is None else np.concatenate([held, band])
        whole = len(held) // _ROWS * _ROWS
        for at in range(0, whole, _ROWS):
            yield held[at : at + _ROWS]
        held = held[whole:]
    if held is not None and len(held):
        yield held


def _write_png(file: BinaryIO, rows: Rows, bands: Iterable[Band]) -> None:
    height, width, channels = rows.shape
    step = channels * rows.dtype.itemsize
    pack = zlib.compressobj(sixteen_bit.LEVEL)
    before = np.zeros(width * step, np.uint8)
    file.write(_SIGNATURE)
    for name, body in sixteen_bit.png_chunks(
        sixteen_bit.png_head(channels, rows.metadata)
    ):
        if name == b"IHDR":
            size = struct.pack(">LLB", width, height, 8 * rows.dtype.itemsize)
            body = size + body[9:]
        if name != b"IDAT":
            file.write(_chunk(name, body))
            continue
        for piece in _pieces(bands):
            stored = piece.astype(rows.dtype.newbyteorder(">"))
            stored = stored.reshape(len(piece), -1).view(np.uint8)
            packed = pack.compress(sixteen_bit.paeth_filter(stored, before, step))
            before = stored[-1]
            if packed:
                file.write(_chunk(b"IDAT", packed))
        file.write(_chunk(b"IDAT", pack.flush()))


def _write_tiff(file: BinaryIO, rows: Rows, bands: Iterable[Band]) -> None:
    lengths = []
    file.write(b"II*\0\0\0\0\0")
    for piece in _pieces(bands):
        lengths.append(file.write(sixteen_bit.strip(piece)))
    directory = sixteen_bit.tiff_directory(
        rows.shape, 8 * rows.dtype.itemsize, lengths, rows.metadata
    )
    try:
        tags.append(file, directory)
    except struct.error as error:
        raise UserError("a TIFF holds no more than 4 GiB: write a .png") from error


def _write_jpeg(file: BinaryIO, rows: Rows, bands: Iterable[Band]) -> None:
    options = pictures.save_options(rows.metadata, "JPEG")
    if options.get("progressive"):
        _write_progressive(file, rows, bands, options)
        return
    height, width, _ = rows.shape
    for number, piece in enumerate(_pieces(bands)):
        head, scan = _encoded(piece, options)
        if number == 0:
            file.write(_head_of_strips(head, height, width))
            options = {name: options[name] for name in _TABLES if name in options}
        else:
            file.write(bytes([0xFF, _RESTART + (number - 1) % 8]))
        file.write(scan)
    file.write(_END)


def _encoded(piece: Band, options: dict[str, Any]) -> tuple[bytes, bytes]:
    """Encodes rows as a JPEG; returns its segments and its entropy-coded data."""
    pixels = piece[..., 0] if piece.shape[-1] == 1 else piece
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(encoded, "JPEG", **options)
    content = encoded.getvalue()
    *_, (_, at, body) = jpeg.segments(content)
    at += 4 + len(body)  # The scan starts here, with a header of its own.
    (length,) = struct.unpack_from(">H", content, at + 2)
    at += 2 + length
    return content[:at], content[at : -len(_END)]


def _head_of_strips(head: bytes, height: int, width: int) -> bytes:
    """The segments of a JPEG of that height whose strips follow restart markers."""
    name, at, body = next(found for found in jpeg.segments(head) if found[0] in _FRAMES)
    across, down = body[7] >> 4, body[7] & 15  # The sampling of the first component.
    if body[5] == 1:
        across = down = 1
    units = -(-width // (8 * across)) * (_ROWS // (8 * down))
    frame = jpeg.segment(name, body[:1] + struct.pack(">H", height) + body[3:])
    restart = jpeg.segment(_INTERVAL, struct.pack(">H", units))
    return head[:at] + restart + frame + head[at + len(frame) :]


def _write_progressive(
    file: BinaryIO, rows: Rows, bands: Iterable[Band], options: dict[str, Any]
) -> None:
    """Encodes the whole picture: what is restored takes the place of what was read."""
    top = 0
    for band in bands:
        # Nothing above its end is read again.
        canvas = rows.canvas()
        canvas[top : top + len(band), :, :3] = band
        top += len(band)
    height, width, channels = rows.shape
    image = Image.frombuffer(
        "RGBX", (width, height), rows.canvas(), "raw", "RGBX", 0, 1
    )
    if channels == 1:
        image = image.getchannel(0)
    image.save(file, "JPEG", **options)


_SAVERS = {"PNG": _write_png, "TIFF": _write_tiff, "JPEG": _write_jpeg}
