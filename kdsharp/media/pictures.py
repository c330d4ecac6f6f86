"""Pictures as files: upright pixels with alpha and every bit, and what goes with them.

Read is whatever Pillow opens; written are the formats of `ENDINGS`.
"""

import contextlib
import dataclasses
import io
import logging
import math
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kdsharp.base import atomic_files, choices
from kdsharp.errors import UserError
from kdsharp.media import details as detail
from kdsharp.media import gain_maps, inks, kinds, light, sixteen_bit, tags
from kdsharp.runtime import images

logger = logging.getLogger(__name__)

# By the ending of a file's name, the format written.
ENDINGS = {
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
# What has several pictures of which the first is the one to see.
_STILL = {"MPO", "PSD"}
_MOVING = {"GIF", "PNG", "WEBP", "AVIF"}
_ANIMATED = ("PNG", "WEBP", "AVIF")
_OF_INKS = ("JPEG", "TIFF")
_PNG_BITS = 24  # Where a PNG says how many bits a channel has.
# What other formats become, and the ending of those that are.
_FALLBACK = "PNG"
_USUAL_ENDINGS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "AVIF": ".avif",
}

# Formats that Pillow names but reads only with another program's help.
_NOT_READ = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF", "PDF"}

# Of a file that claims more, a mistake or an attack is likelier than a picture.
MOST_MEGAPIXELS = 250

# Of pictures that come from another format, and where a file does not tell its own.
_JPEG = {"quality": 95, "subsampling": 0}
_WEBP_QUALITY = 90
_AVIF = {"quality": 90, "subsampling": "4:4:4"}
# Of BMPs, Pillow writes alpha and does not read it.
_OPAQUE = ("JPEG", "BMP")
_DEEP = {"PNG": sixteen_bit.png, "TIFF": sixteen_bit.tiff}
_LONGEST_IN_JPEG = 65533 - len("Exif\0\0")


@dataclasses.dataclass(frozen=True)
class Picture:
    """Pixels `[h, w]` or `[h, w, 2..4]`, uint8, uint16 or float32, and details.

    If it is animated, further frames follow.
    """

    pixels: images.Pixels
    details: detail.Details
    frames: tuple[images.Pixels, ...] = ()


def allow(megapixels: float) -> None:
    """Lets Pillow open pictures of so many pixels and none of more."""
    if not 0 < megapixels < math.inf:
        raise UserError(
            f"--megapixels {megapixels:g} is out of range: give a number above 0"
        )
    # It warns of one and refuses two times that.
    Image.MAX_IMAGE_PIXELS = round(megapixels * 1e6 / 2)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def size(source: Path) -> tuple[int, int]:
    """Returns width and height as stored; of what is no picture, nothing."""
    try:
        kinds.prepare(kinds.head(source))
        with Image.open(source) as image:
            return image.size
    except Exception:  # To read it will say why.
        return 0, 0


def read(source: Path | bytes, *, animated: bool = False) -> Picture:
    """Returns the picture in a file, or that a file's bytes are, upright.

    One that is animated is refused unless somebody asks for its frames.
    """
    with _sentences(source):
        content = _content(source)
        kinds.prepare(kinds.head(content))
        with Image.open(io.BytesIO(content)) as image:
            _check(image, content, animated)
            if animated and _is_animated(image):
                return _frames(image, content)
            # To ask a PNG for its EXIF is to load it: what loading loses comes first.
            if not sixteen_bit.is_deep(image):
                return _shallow(image, content)
            with Image.open(io.BytesIO(content)) as again:
                pixels = sixteen_bit.read(image, again)
            told = detail.of_image(image, content)
            # Pillow turns TIFFs as it loads them.
            orientation = image.getexif().get(detail.ORIENTATION, 1)
            return Picture(_upright(pixels, orientation), told)


def _shallow(image: Image.Image, content: bytes) -> Picture:
    clear = image.palette is not None and "A" in (image.palette.rawmode or "")
    if clear:  # Which Pillow would leave out.
        image.palette.mode = "RGBA"
    image.load()
    hidden = image.info.get("transparency")
    if image.format == "PNG" and isinstance(hidden, int) and image.mode in ("1", "L"):
        # Told in the levels that are stored, of 1, 2, 4 or 8 bits.
        most = 2 ** content[_PNG_BITS] - 1
        image.info["transparency"] = min(hidden, most) * (255 // most)
    told = detail.of_image(image, content)
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "CMYK" and inks.is_of_inks(told.icc):
        image = inks.to_rgb(image, told.icc)
        told = dataclasses.replace(told, inks=True)
    pixels = images.to_pixels(image)
    if clear and not pixels[..., 3].any():  # Then its bit of alpha means nothing.
        pixels = np.ascontiguousarray(pixels[..., :3])
    return Picture(pixels, told)


def _frames(image: Image.Image, content: bytes) -> Picture:
    """Returns an animation, each frame as it is seen, all with alpha or none."""
    first = 1 if image.info.get("default_image") else 0  # Of PNG: not among them.
    seen, seconds = [], []
    for number in range(first, image.n_frames):
        image.seek(number)
        frame = image.convert("RGBA" if image.has_transparency_data else "RGB")
        seen.append(frame)
        seconds.append(image.info.get("duration", 0))
    mode = "RGBA" if any(frame.mode == "RGBA" for frame in seen) else "RGB"
    image.seek(first)
    image.load()
    told = detail.of_image(image, content)
    timing = {"duration": seconds, "loop": image.info.get("loop", 1)}
    told = dataclasses.replace(told, encoding=told.encoding | {"timing": timing})
    pixels = [np.asarray(frame.convert(mode)) for frame in seen]
    return Picture(pixels[0], told, tuple(pixels[1:]))


def encode(picture: Picture, format_: str) -> bytes:
    """Returns the file of a picture in that format."""
    pixels, told = picture.pixels, picture.details
    if picture.frames and format_ not in _ANIMATED:
        raise UserError(
            f"{format_} holds one picture, and this one is animated: write .png, "
            ".webp or .avif"
        )
    if pixels.dtype == np.uint16 and format_ in _DEEP:
        return _DEEP[format_](pixels, told)
    if format_ != "TIFF" or pixels.dtype == np.uint16:
        pixels = _to_bytes(pixels)
    if format_ in _OPAQUE and pixels.ndim == 3 and pixels.shape[-1] in (2, 4):
        raise UserError(
            f"{format_} has no transparency, and the picture has: write .png or .webp "
            "(of a folder: --format png or --format webp)"
        )
    image = images.to_image(pixels)
    if told.inks:
        if format_ in _OF_INKS and image.mode == "RGB":
            image = inks.to_inks(image, told.icc)
        else:  # What inks look like, in sRGB.
            told = dataclasses.replace(told, icc=b"")
    if told.gain_map and format_ != "JPEG":
        logger.warning("the gain map, by which it is HDR, is left out: JPEG keeps it")
    options = save_options(told, format_)
    if picture.frames:
        options |= _of_frames(picture, format_)
    file = io.BytesIO()
    try:
        image.save(file, format_, **options)
    except KeyError as error:  # A format that this Pillow was built without.
        raise UserError(f"this Pillow does not write {format_}") from error
    if format_ == "TIFF":
        # Pillow loses EXIF, or fails, where libtiff compresses.
        tags.append(file, tags.parse(file.getvalue()) | detail.for_tiff(told))
    if format_ == "JPEG" and told.gain_map:
        return gain_maps.append(file.getvalue(), told.gain_map)
    return file.getvalue()


def _of_frames(picture: Picture, format_: str) -> dict:
    timing = picture.details.encoding["timing"]
    frames = [images.to_image(_to_bytes(frame)) for frame in picture.frames]
    options = {"save_all": True, "append_images": frames, **timing}
    if format_ != "PNG":  # In whole milliseconds.
        options["duration"] = [round(time) for time in timing["duration"]]
    if format_ == "PNG":  # Each frame is whole.
        options |= {"disposal": 0, "blend": 0}
    return options


def write(
    picture: Picture, path: Path, *, format_: str = "", overwrite: bool = False
) -> None:
    """Writes the file whole, in the format that its name asks for."""
    content = encode(picture, format_ or format_of(path))
    # Another program may have written it while this one computed.
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists: give another name, or --overwrite")
    try:
        atomic_files.write_bytes(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error


def format_of(path: PurePath) -> str:
    """Returns the format that a name asks for."""
    try:
        return ENDINGS[path.suffix.lower()]
    except KeyError:
        raise UserError(
            f"{path} is no name of a picture that is written: let it end in "
            f"{', '.join(dict.fromkeys(_USUAL_ENDINGS.values()))}"
        ) from None


def kept_format(format_: str) -> str:
    """Returns what a picture of that format is written as if nobody says."""
    return format_ if format_ in _USUAL_ENDINGS else _FALLBACK


def ending_for(name: PurePath, format_: str) -> str:
    """Returns the name's own ending if it tells the format, or the usual one."""
    if ENDINGS.get(name.suffix.lower()) == format_:
        return name.suffix
    return _USUAL_ENDINGS[format_]


def named_format(name: str) -> str:
    """Returns the format that a person names, as jpg or PNG."""
    try:
        return ENDINGS["." + name.lower().removeprefix(".")]
    except KeyError:
        raise choices.unknown(
            "format", name, (ending[1:] for ending in _USUAL_ENDINGS.values())
        ) from None


def is_one(path: Path) -> bool:
    """Whether a file's name promises a picture, or its content begins as one does.

    That does not say that it can be read: to read it says why not.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind in Image.OPEN and kind not in _NOT_READ:
        return True
    try:
        start = kinds.head(path)
        if kinds.why_unread(start) or kinds.is_heif(start):
            return True
        with Image.open(path, formats=_told_by_content()):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # Nearly anything, of what is no picture.
        return False


def _told_by_content() -> list[str]:
    """Returns the formats that begin as nothing else does."""
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
        raise UserError(f"{image.format} files are not read")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format == "TIFF":
        raise UserError(f"it has {frames} pages: split them first")
    if frames > 1 and image.format not in _STILL:
        if not animated or image.format not in _MOVING:
            raise UserError(
                f"it is animated ({frames} frames): kdsharp sharpen takes GIF, PNG, "
                "WebP and AVIF"
            )
        if image.width * image.height * frames > 2 * (Image.MAX_IMAGE_PIXELS or 0):
            raise Image.DecompressionBombError
    if image.format in ("AVIF", "HEIF", "PNG"):
        why = light.why_not_shown(content, bool(image.info.get("icc_profile")))
        if why:
            raise UserError(why)
        if light.bits(content) > 8:
            logger.warning("%d bits a channel become 8", light.bits(content))


@contextlib.contextmanager
def _sentences(source: Path | bytes) -> Iterator[None]:
    """Turns what goes wrong in reading into a sentence."""
    name = "standard input" if isinstance(source, bytes) else source
    try:
        yield
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise UserError(
            f"{name}: it claims more than {most:g} megapixels: allow more with "
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
    return f"it is damaged ({str(error) or type(error).__name__})"


_REASONS = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder, not a picture",
    PermissionError: "it may not be read",
    UnidentifiedImageError: "it is no picture that can be identified",
    MemoryError: "it does not fit into memory",
}


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Returns pixels upright that EXIF says lie so."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Returns eight bits a channel."""
    if pixels.dtype == np.uint16:
        # 257 times as many steps: the nearest byte.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return pixels


def save_options(told: detail.Details, format_: str) -> dict:
    """Returns what Pillow's encoder is to be told."""
    same = told.format == format_
    options = {"icc_profile": told.icc or None}
    if told.dpi:
        options["dpi"] = told.dpi
    if format_ == "TIFF":
        return options | _tiff_options(told, same)
    if format_ == "BMP":
        return {"dpi": told.dpi} if told.dpi else {}
    options["exif"] = detail.with_prefix(told.exif)
    if format_ == "PNG":
        return options | {"pnginfo": detail.png_texts(told)}
    if told.xmp:
        options["xmp"] = told.xmp
    if format_ == "JPEG":
        if len(told.exif) > _LONGEST_IN_JPEG:
            logger.warning(
                "EXIF of %d bytes is left out: JPEG has no room", len(told.exif)
            )
            del options["exif"]
        if told.extended_xmp:
            options["extra"] = told.extended_xmp
        if told.comment:
            options["comment"] = told.comment
        return options | (told.encoding if same else _JPEG)
    if format_ == "WEBP":
        # Colours under transparency are the picture's too.
        lossless = same and told.encoding["lossless"]
        return options | {
            "quality": _WEBP_QUALITY,
            "lossless": lossless,
            "exact": lossless,
        }
    return options | _AVIF


def _tiff_options(told: detail.Details, same: bool) -> dict:
    compression = told.encoding["compression"] if same else "tiff_deflate"
    if compression not in ("raw", "tiff_lzw", "tiff_deflate", "packbits"):
        # JPEG within a TIFF would lose once more; fax is for black and white.
        compression = "tiff_deflate"
    return {"compression": compression}
