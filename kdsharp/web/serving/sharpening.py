"""The API `/api/sharpen`: its parameters and its result."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

from kdsharp.base import choices
from kdsharp.errors import UserError
from kdsharp.media import pictures
from kdsharp.runtime import restore
from kdsharp.runtime.options import RestoreOptions
from kdsharp.web.serving.refusals import Refusal

_WORDS = ("model", "strength", "unsharp", "format")
_FORMATS = {
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "tiff": "TIFF",
    "avif": "AVIF",
}
# The first bytes of accepted formats. Other formats are refused, because every further
# decoder adds to the attack surface.
_START = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class SharpenRequest:
    """The parameters of a request; an empty format means that of the picture."""

    options: RestoreOptions
    format: str


def parse_request(words: Mapping[str, str], models: tuple[str, ...]) -> SharpenRequest:
    """Parses the query parameters."""
    unknown = sorted(set(words) - set(_WORDS))
    if unknown:
        raise _unknown(400, "parameter", unknown[0], _WORDS)
    model = words.get("model") or models[0]
    if model not in models:
        raise _unknown(404, "model", model, models)
    format_ = words.get("format", "").lower()
    if format_ and format_ not in _FORMATS:
        raise _unknown(400, "format", format_, sorted(_FORMATS))
    strength = _number(words, "strength", 1.0)
    unsharp = _number(words, "unsharp", 0.0)
    try:
        options = RestoreOptions(model=model, strength=strength, unsharp=unsharp)
    except UserError as error:
        raise Refusal(400, str(error)) from error
    return SharpenRequest(options, _FORMATS.get(format_, ""))


def _number(words: Mapping[str, str], name: str, default: float) -> float:
    try:
        return float(words.get(name, default))
    except ValueError:
        raise Refusal(400, f"{name} must be a number, not {words[name]!r}") from None


def check(body: bytes) -> None:
    """Refuses bodies that do not start like a supported picture."""
    if not body:
        raise Refusal(400, "no picture was sent: send it as the body of the request")
    if not _START.match(body):
        raise Refusal(415, "the file is not a JPG, PNG or WebP")


def sharpen(
    body: bytes,
    asked: SharpenRequest,
    sharpener: restore.Sharpener,
    progress: Callable[[float], None],
) -> tuple[bytes, str]:
    """Sharpens a picture file; returns the result and its media type."""
    try:
        picture = pictures.read(body)
        progress(0)
        # In place of the one that was read, which is then no longer in memory.
        picture = dataclasses.replace(
            picture,
            pixels=sharpener(
                picture.pixels,
                strength=asked.options.strength,
                unsharp=asked.options.unsharp,
                progress=progress,
            ),
        )
        format_ = asked.format or pictures.output_format(picture.metadata.format)
        file = pictures.encode(picture, format_)
    except UserError as error:
        sentence = str(error).removeprefix("standard input: ")
        large = "megapixels" in sentence
        sentence = sentence.removesuffix(": raise the limit with --megapixels")
        raise Refusal(413 if large else 422, sentence) from error
    except MemoryError as error:
        raise Refusal(413, "not enough memory for the picture") from error
    return file, f"image/{format_.lower()}"


def _unknown(status: int, what: str, given: str, known: Iterable[str]) -> Refusal:
    return Refusal(status, str(choices.unknown(what, given, known)))
