"""Picture files: upright pixels with alpha and full bit depth, and their metadata.

Reads every format that Pillow opens; writes the formats in `EXTENSIONS`.
"""

import contextlib
import dataclasses
import io
import logging
import math
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from kdsharp.base import atomic_files, choices
from kdsharp.errors import UserError
from kdsharp.media import cicp, cmyk, file_types, gain_maps, sixteen_bit, tags
from kdsharp.media import metadata as meta
from kdsharp.runtime import images

logger = logging.getLogger(__name__)

# Formats that are written, by file extension.
EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
}
# Formats with several pictures, of which only the first counts.
_STILL = {"MPO", "PSD", "HEIF"}
_MOVING = {"GIF", "PNG", "WEBP", "AVIF"}
_ANIMATED = ("PNG", "WEBP", "AVIF")
_OF_INKS = ("JPEG", "TIFF")
_PNG_BITS = 24  # The offset of the bit depth in a PNG.
# The format in which formats are written that cannot be.
_FALLBACK = "PNG"
_USUAL_EXTENSIONS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "AVIF": ".avif",
}

# Formats that Pillow recognises but can read only with external programs.
_NOT_READ = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF", "PDF"}

# Pillow refuses PNGs with a text of more than this; XMP can exceed its 1 MB.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

# A file that claims more is more likely a mistake or an attack.
MOST_MEGAPIXELS = 250

# Encoder options for pictures that were read in another format.
_JPEG = {"quality": 95, "subsampling": 0}
_WEBP_QUALITY = 90
_AVIF = {"quality": 90, "subsampling": "4:4:4"}
# Pillow writes alpha in BMP but cannot read it.
_OPAQUE = ("JPEG", "BMP")
_DEEP = {"PNG": sixteen_bit.png, "TIFF": sixteen_bit.tiff}
_LONGEST_IN_JPEG = 65533 - len("Exif\0\0")


@dataclasses.dataclass(frozen=True)
class Picture:
    """Pixels `[h, w]` or `[h, w, 2..4]`, uint8, uint16 or float32, and metadata.

    Animations have further `frames`.
    """

    pixels: images.Pixels
    metadata: meta.Metadata
    frames: tuple[images.Pixels, ...] = ()


def limit_size(megapixels: float) -> None:
    """Sets the maximum number of pixels that pictures may have."""
    if not 0 < megapixels < math.inf:
        raise UserError(
            f"--megapixels {megapixels:g} is out of range: give a finite number above 0"
        )
    # Pillow refuses pictures of more than twice this size.
    Image.MAX_IMAGE_PIXELS = round(megapixels * 1e6 / 2)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def size(source: Path) -> tuple[int, int]:
    """The stored width and height; (0, 0) if it is not a readable picture."""
    try:
        file_types.prepare(file_types.head(source))
        with Image.open(source) as image:
            return image.size
    except Exception:  # Reading the file will report the reason.
        return 0, 0


def read(source: Path | bytes, *, animated: bool = False) -> Picture:
    """Reads a picture from a file or from bytes, rotated upright.

    Animations are refused unless `animated`.
    """
    with _readable_errors(source):
        content = _content(source)
        file_types.prepare(file_types.head(content))
        with Image.open(io.BytesIO(content)) as image:
            _check(image, content, animated)
            if animated and _is_animated(image):
                return _frames(image, content)
            # Reading the EXIF of a PNG loads its pixels, so 16-bit pixels come first.
            if not sixteen_bit.is_deep(image):
                return _read_8_bit(image, content)
            with Image.open(io.BytesIO(content)) as again:
                pixels = sixteen_bit.read(image, again)
            metadata = meta.of_image(image, content)
            # Pillow rotates TIFFs on loading, so ask for the orientation afterwards.
            return Picture(_rotate(pixels, meta.orientation(image)), metadata)


def _read_8_bit(image: Image.Image, content: bytes) -> Picture:
    clear = image.palette is not None and "A" in (image.palette.rawmode or "")
    if (
        image.palette is not None and clear
    ):  # Pillow would drop the alpha of the palette.
        image.palette.mode = "RGBA"
    image.load()
    hidden = image.info.get("transparency")
    if image.format == "PNG" and isinstance(hidden, int) and image.mode in ("1", "L"):
        # The stored level has 1, 2, 4 or 8 bits.
        most = 2 ** content[_PNG_BITS] - 1
        image.info["transparency"] = min(hidden, most) * (255 // most)
    metadata = meta.of_image(image, content)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "CMYK" and cmyk.is_cmyk(metadata.icc):
        image = cmyk.to_rgb(image, metadata.icc)
        metadata = dataclasses.replace(metadata, cmyk=True)
    pixels = images.to_pixels(image)
    if clear and not pixels[..., 3].any():  # The alpha of the palette is unused.
        pixels = np.ascontiguousarray(pixels[..., :3])
    return Picture(pixels, metadata)


def _frames(image: Image.Image, content: bytes) -> Picture:
    """Reads an animation; either all of its frames have alpha or none."""
    # The default image of an APNG is not part of the animation.
    first = 1 if image.info.get("default_image") else 0
    seen, seconds = [], []
    for number in range(first, getattr(image, "n_frames", 1)):
        image.seek(number)
        frame = image.convert("RGBA" if image.has_transparency_data else "RGB")
        seen.append(frame)
        seconds.append(image.info.get("duration", 0))
    if len({frame.size for frame in seen}) > 1:
        raise UserError("its frames differ in size")
    mode = "RGBA" if any(frame.mode == "RGBA" for frame in seen) else "RGB"
    image.seek(first)
    image.load()
    metadata = meta.of_image(image, content)
    timing = {"duration": seconds, "loop": image.info.get("loop", 1)}
    metadata = dataclasses.replace(
        metadata, encoding=metadata.encoding | {"timing": timing}
    )
    pixels = [np.asarray(frame.convert(mode)) for frame in seen]
    return Picture(pixels[0], metadata, tuple(pixels[1:]))


def encode(picture: Picture, format_: str) -> bytes:
    """Encodes a picture as a file in that format."""
    pixels, metadata = picture.pixels, picture.metadata
    if picture.frames and format_ not in _ANIMATED:
        raise UserError(
            f"{format_} cannot store animations: write .png, .webp or .avif"
        )
    if pixels.dtype == np.uint16 and format_ in _DEEP:
        return _DEEP[format_](pixels, metadata)
    if format_ != "TIFF" or pixels.dtype == np.uint16:
        pixels = _to_bytes(pixels)
    if format_ in _OPAQUE and pixels.ndim == 3 and pixels.shape[-1] in (2, 4):
        raise UserError(
            f"{format_} has no transparency, but the picture does: write .png or .webp "
            "(for a folder: --format png or --format webp)"
        )
    image = images.to_image(pixels)
    if metadata.cmyk:
        if format_ in _OF_INKS and image.mode == "RGB":
            image = cmyk.to_cmyk(image, metadata.icc)
        else:  # The pixels stay sRGB.
            metadata = dataclasses.replace(metadata, icc=b"")
    if metadata.gain_map and format_ != "JPEG":
        logger.warning("the HDR gain map is dropped: only JPEG can store it")
    options = save_options(metadata, format_)
    if picture.frames:
        options |= _of_frames(picture, format_)
    file = io.BytesIO()
    try:
        image.save(file, format_, **options)
    except KeyError as error:  # Pillow was built without this format.
        raise UserError(f"this version of Pillow cannot write {format_}") from error
    except (ValueError, OSError) as error:  # Sides longer than the format allows.
        height, width = pixels.shape[:2]
        raise UserError(
            f"{format_} cannot store this picture of {width}x{height} ({error})"
        ) from error
    if format_ == "TIFF":
        # With compression by libtiff, Pillow would lose EXIF or fail.
        tags.append(file, tags.parse(file.getvalue()) | meta.for_tiff(metadata))
    if format_ == "JPEG" and metadata.gain_map:
        return gain_maps.append(file.getvalue(), metadata.gain_map)
    return file.getvalue()


def _of_frames(picture: Picture, format_: str) -> dict:
    timing = picture.metadata.encoding["timing"]
    frames = [images.to_image(_to_bytes(frame)) for frame in picture.frames]
    options = {"save_all": True, "append_images": frames, **timing}
    if format_ != "PNG":  # Durations are integer milliseconds.
        options["duration"] = [round(time) for time in timing["duration"]]
    if format_ == "PNG":  # Each frame replaces the one before.
        options |= {"disposal": 0, "blend": 0}
    return options


def write(
    picture: Picture, path: Path, *, format_: str = "", overwrite: bool = False
) -> None:
    """Writes a picture atomically, by default in the format of the file's extension."""
    content = encode(picture, format_ or format_of(path))
    # Another program may have written the file in the meantime.
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists: give another name, or --overwrite")
    try:
        atomic_files.write_bytes(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def format_of(path: PurePath) -> str:
    """The format of a file name's extension."""
    try:
        return EXTENSIONS[path.suffix.lower()]
    except KeyError:
        raise UserError(
            f"{path}: the name must end in one of: "
            f"{', '.join(dict.fromkeys(_USUAL_EXTENSIONS.values()))}"
        ) from None


def output_format(format_: str) -> str:
    """The format that a picture of that format is written in by default."""
    return format_ if format_ in _USUAL_EXTENSIONS else _FALLBACK


def extension_for(name: PurePath, format_: str) -> str:
    """The name's own extension if it fits the format, otherwise the usual one."""
    if EXTENSIONS.get(name.suffix.lower()) == format_:
        return name.suffix
    return _USUAL_EXTENSIONS[format_]


def named_format(name: str) -> str:
    """Looks up a format by a name such as jpg or PNG."""
    try:
        return EXTENSIONS["." + name.lower().removeprefix(".")]
    except KeyError:
        raise choices.unknown(
            "format", name, (ending[1:] for ending in _USUAL_EXTENSIONS.values())
        ) from None


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its extension or by its first bytes.

    It may still be unreadable; reading it says why.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind in Image.OPEN and kind not in _NOT_READ:
        return True
    try:
        start = file_types.head(path)
        if file_types.why_unreadable(start) or file_types.is_heif(start):
            return True
        with Image.open(path, formats=_told_by_content()):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # Decoders raise nearly anything on invalid files.
        return False


def _told_by_content() -> list[str]:
    """The formats that are recognised by their first bytes."""
    Image.init()
    return [
        name
        for name, (_, begins) in Image.OPEN.items()
        if begins is not None and name not in _NOT_READ
    ]


def _content(source: Path | bytes) -> bytes:
    content = source if isinstance(source, bytes) else source.read_bytes()
    if not content:
        raise UserError("it is empty")
    return content


def _is_animated(image: Image.Image) -> bool:
    return getattr(image, "n_frames", 1) > 1 and image.format in _MOVING


def _check(image: Image.Image, content: bytes, animated: bool) -> None:
    if image.format in _NOT_READ:
        raise UserError(f"{image.format} files are not supported")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format == "TIFF":
        raise UserError(f"it has {frames} pages: split them first")
    if frames > 1 and image.format not in _STILL:
        if not animated or image.format not in _MOVING:
            raise UserError(
                f"it is animated ({frames} frames): kdsharp sharpen supports GIF, PNG, "
                "WebP and AVIF"
            )
        if image.width * image.height * frames > 2 * (Image.MAX_IMAGE_PIXELS or 0):
            raise Image.DecompressionBombError
    if frames > 1 and image.format == "HEIF":
        logger.warning("it holds %d pictures: only the main one is kept", frames)
    if image.format in ("AVIF", "HEIF", "PNG"):
        why = cicp.why_unsupported(content, bool(image.info.get("icc_profile")))
        if why:
            raise UserError(why)
        if cicp.bits(content) > 8:
            logger.warning("%d bits per channel are reduced to 8", cicp.bits(content))
        if gain_maps.is_in_heif(content):
            logger.warning("the HDR gain map is dropped: only that of a JPEG is kept")


@contextlib.contextmanager
def _readable_errors(source: Path | bytes) -> Iterator[None]:
    """Turns errors of reading into one-sentence errors."""
    name = "standard input" if isinstance(source, bytes) else source
    try:
        yield
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise UserError(
            f"{name}: it has more than {most:g} megapixels: raise the limit with "
            "--megapixels"
        ) from error
    except Exception as error:  # Decoders raise nearly anything on damaged files.
        raise UserError(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    for kind, words in _REASONS.items():
        if isinstance(error, kind):
            return words
    kind = type(error).__name__
    words = str(error) or kind
    if _UNSUPPORTED.search(words):
        return f"files of this kind are not supported ({words})"
    if not isinstance(error, _DAMAGE):
        return f"its decoder failed ({kind}: {words})"
    return f"it is damaged ({words})"


# How decoders say that they lack something, and what they raise for damaged files.
_UNSUPPORTED = re.compile("(?i)un(supported|implemented)|not (supported|implemented)")
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, RuntimeError),
    *(struct.error, zlib.error),
)


_REASONS = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder, not a picture",
    PermissionError: "permission denied",
    UnidentifiedImageError: "it is not a picture in a known format",
    MemoryError: "not enough memory",
}


def _rotate(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Applies an EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Converts to 8 bits per channel."""
    if pixels.dtype == np.uint16:
        # 65535 = 257 * 255; round to the nearest.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return pixels


def save_options(metadata: meta.Metadata, format_: str) -> dict:
    """The options for Pillow's encoder."""
    same = metadata.format == format_
    options: dict[str, Any] = {"icc_profile": metadata.icc or None}
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    if format_ == "TIFF":
        return options | _tiff_options(metadata, same)
    if format_ == "BMP":
        return {"dpi": metadata.dpi} if metadata.dpi else {}
    options["exif"] = meta.with_prefix(metadata.exif)
    if format_ == "AVIF" and not meta.is_readable(metadata.exif):
        logger.warning("damaged EXIF is dropped: AVIF cannot store it")
        del options["exif"]
    if format_ == "PNG":
        return options | {"pnginfo": meta.png_texts(metadata)}
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    if format_ == "JPEG":
        if len(metadata.exif) > _LONGEST_IN_JPEG:
            logger.warning(
                "EXIF of %d bytes is dropped: JPEG cannot store that much",
                len(metadata.exif),
            )
            del options["exif"]
        if metadata.extended_xmp:
            options["extra"] = metadata.extended_xmp
        if metadata.comment:
            options["comment"] = metadata.comment
        return options | (metadata.encoding if same else _JPEG)
    if format_ == "WEBP":
        # Lossless includes the colours of transparent pixels.
        lossless = same and metadata.encoding["lossless"]
        return options | {
            "quality": _WEBP_QUALITY,
            "lossless": lossless,
            "exact": lossless,
        }
    return options | _AVIF


def _tiff_options(metadata: meta.Metadata, same: bool) -> dict:
    compression = metadata.encoding["compression"] if same else "tiff_deflate"
    if compression not in ("raw", "tiff_lzw", "tiff_deflate", "packbits"):
        # JPEG in TIFF is lossy; fax compression is for black and white.
        compression = "tiff_deflate"
    return {"compression": compression}
