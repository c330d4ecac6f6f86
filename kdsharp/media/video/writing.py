"""Writes a video file: encodes frames and copies packets of other streams."""

import dataclasses
import functools
import io
import logging
import struct
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.codec.context import Flags
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from av.video.frame import PictureType

from kdsharp.base import atomic_files, priorities
from kdsharp.errors import UserError
from kdsharp.media.video import (
    encoding,
    ffmpeg_errors,
    formats,
    frames,
    hdr,
    remux,
    segments,
)

logger = logging.getLogger(__name__)

# Write fragments of one second at once, so that a partial file is playable. When an MP4
# is completed, its fragments are replaced by an ordinary index.
_AT_ONCE = {"flush_packets": "1"}
_FRAGMENTS = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "1000000"}
_CLUSTERS = {"cluster_time_limit": "1000"}
_PIECES: dict[str, dict[str, str]] = {
    **dict.fromkeys(("mp4", "mov", "ipod", "3gp", "3g2", "f4v", "ismv"), _FRAGMENTS),
    **dict.fromkeys(("matroska", "webm"), _CLUSTERS),
}

# FFmpeg's flag of containers that support variable frame rates.
_VARIABLE_RATE = 0x0400


class VideoSource(Protocol):
    """The properties of the input that a writer needs."""

    @property
    def shift(self) -> Fraction: ...

    @property
    def length(self) -> Fraction | None: ...

    @property
    def container(self) -> InputContainer: ...

    @property
    def video(self) -> av.VideoStream: ...

    @property
    def rate(self) -> Fraction: ...


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a video is written; `name` is shown to the user."""

    url: str
    name: str
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    advice: str = "give OUT another extension, such as .mkv or .mp4"


class VideoWriter:
    """Writes frames like `frame`, and packets of the reader's other streams.

    Given a folder, it stores encoded segments there, and uses stored ones instead of
    encoding their frames.
    """

    def __init__(
        self,
        target: Target,
        reader: VideoSource,
        frame: av.VideoFrame,
        wanted: encoding.Encoding,
        kept: segments.Folder | None = None,
    ):
        with ffmpeg_errors.as_user_error(
            f"{target.name} cannot be written", target.advice
        ):
            self._out = av.open(target.url, "w", format=target.format)
        pieces = dict(_PIECES.get(self._out.format.name, {}))
        if "movflags" in pieces and remux.has_keys(reader.container):
            pieces["movflags"] += "+use_metadata_tags"
        self._out.container_options.update(_AT_ONCE | pieces | dict(target.options))
        source = reader.video.codec_context.codec.canonical_name
        self._codec = encoding.find(wanted, self._out, source, frame.format.name)
        self.pixels = formats.nearest_supported(self._codec, frame.format.name)
        add = functools.partial(
            _add_picture, self._codec, self.pixels, reader, frame, wanted
        )
        self._picture = self._encoder = add(self._out)
        if kept is not None:
            # Each segment has its own encoder, in a container that is never written.
            name = self._out.format.name
            self._encoder = segments.SegmentedEncoder(
                kept,
                self._picture,
                lambda: add(av.open(io.BytesIO(), "w", format=name)),
            )
        if not wanted.live:
            _report_changes(source, self._codec, frame, self.pixels, wanted)
        self._converters: dict[int, remux.PacketConverter] = {}
        for stream in remux.streams(reader.container, reader.video):
            if (added := remux.add(self._out, stream)) is None:
                logger.warning(
                    "dropped stream %d (%s, %s): %s does not support it",
                    stream.index,
                    stream.type,
                    stream.name or "unknown codec",
                    self._out.format.name,
                )
                continue
            self._converters[stream.index] = added[1]
        self._out.metadata.update(remux.container_tags(reader.container))
        self._out.set_chapters(
            remux.chapters(reader.container, reader.shift, reader.length)
        )
        self._last = -1
        self.frames = 0
        with ffmpeg_errors.as_user_error(
            f"{target.name} cannot be started", target.advice
        ):
            self._out.start_encoding()

    @property
    def reached(self) -> Fraction:
        """The time of the last frame, in seconds."""
        return max(self._last, 0) * self._picture.codec_context.time_base

    @property
    def carried(self) -> set[int]:
        """Indices of the reader's streams whose packets are copied."""
        return set(self._converters)

    def frame(self, frame: av.VideoFrame) -> list[int]:
        """Encodes a frame, writes finished packets, and returns their timestamps.

        Timestamps are the `pts` of frames, as set when this returns.
        """
        # Let the encoder choose, instead of copying the decoded frame's type.
        frame.pict_type = PictureType.NONE
        base = self._picture.codec_context.time_base
        assert frame.pts is not None and frame.time_base is not None
        if frame.time_base != base:
            frame.duration = round(frame.duration * frame.time_base / base)
            frame.pts = round(frame.pts * frame.time_base / base)
            frame.time_base = base
        frame.pts = self._last = max(frame.pts, self._last + 1)
        packets = self._encoder.encode(frame)
        times = [packet.pts for packet in packets if packet.pts is not None]
        self._out.mux(packets)
        self.frames += 1
        return times

    def packet(self, packet: av.Packet) -> None:
        """Writes a packet of another stream."""
        for made in self._converters[packet.stream_index](packet):
            self._out.mux(made)

    def finish(self) -> None:
        """Flushes the encoder and completes the file."""
        self._out.mux(self._encoder.encode(None))
        for converter in self._converters.values():
            for made in converter(None):
                self._out.mux(made)
        self._out.close()

    def abandon(self) -> None:
        """Closes the file after a failure."""
        if isinstance(self._encoder, segments.SegmentedEncoder):
            self._encoder.abandon()
        try:
            self._out.close()
        except FFmpegError as error:
            logger.debug("while closing: %s", error)


def _add_picture(
    codec: av.Codec,
    pixels: str,
    reader: VideoSource,
    frame: av.VideoFrame,
    wanted: encoding.Encoding,
    out: OutputContainer,
) -> av.VideoStream:
    """Adds the video stream, with an opened encoder for frames like `frame`."""
    rate = Fraction(reader.rate).limit_denominator(1_000_000)
    assert frame.time_base is not None
    base = encoding.time_base(codec, frame.time_base, rate)
    if not out.format.flags & _VARIABLE_RATE:
        base = 1 / rate
    options = encoding.options(codec, wanted)
    with ffmpeg_errors.as_user_error(
        "OUT", "give it another extension, or another --codec"
    ):
        stream = out.add_stream(
            codec.name,
            rate=rate,
            width=frame.width,
            height=frame.height,
            time_base=base,
            options=options,
        )
    assert isinstance(stream, av.VideoStream)
    stream.time_base = base
    context = stream.codec_context
    context.pix_fmt = pixels
    context.flags |= int(Flags.frame_duration)
    if reader.video.sample_aspect_ratio:
        context.sample_aspect_ratio = reader.video.sample_aspect_ratio
    context.color_range = frames.FULL if frames.is_full(frame) else frame.color_range
    context.colorspace = frame.colorspace
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc
    encoding.configure(codec, context, wanted, rate)
    if name := encoding.codec_tag(out, codec):
        context.codec_tag = name
    if frame.interlaced_frame:
        order = reader.video.codec_context.field_order
        encoding.enable_interlacing(codec, context, order)
    if turned := _display_matrix(frame):
        stream.set_display_matrix(turned)
    stream.metadata.update(remux.tags(reader.video.metadata))
    stream.disposition = reader.video.disposition
    what = f"{codec.name} cannot be started"
    with ffmpeg_errors.as_user_error(what, _advice(context)), priorities.kept():
        context.open()
    return stream


def _report_changes(
    source: str,
    codec: av.Codec,
    frame: av.VideoFrame,
    pixels: str,
    wanted: encoding.Encoding,
) -> None:
    """Reports changes of codec or pixel format that were not requested."""
    if wanted.codec is None and codec.canonical_name != source:
        logger.info("re-encoding %s as %s", source, codec.canonical_name)
    if formats.has_alpha(frame.format.name) and not formats.has_alpha(pixels):
        logger.warning("transparency is dropped: %s does not support it", codec.name)
    elif pixels != frame.format.name:
        logger.info(
            "pixel format %s is converted to %s for %s",
            frame.format.name,
            pixels,
            codec.name,
        )
    if wanted.hdr_metadata and not wanted.hdr_metadata.options(codec.name):
        logger.warning(
            "mastering display metadata is dropped: %s does not support it",
            codec.name,
        )


def _advice(context: av.VideoCodecContext) -> str:
    """Advice for when an encoder refuses its settings."""
    width, height = context.width, context.height
    # Subsampled chroma planes round odd sizes up.
    pixels = context.format
    assert pixels is not None
    chroma = pixels.chroma_width(width), pixels.chroma_height(height)
    uneven = (
        2 * smaller > side
        for smaller, side in zip(chroma, (width, height), strict=True)
        if smaller < side
    )
    if any(uneven):
        return (
            f"many encoders do not support odd sizes ({width}x{height}) with "
            "subsampled chroma: use --codec vp9, av1, mpeg4 or ffv1"
        )
    return "use other codec options, or another codec"


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The rotation and mirroring that players apply, if any."""
    matrix = hdr.content(frame, Type.DISPLAYMATRIX)
    return struct.unpack("<9i", matrix) if matrix else None


def remove_leftovers(path: Path) -> None:
    """Removes and reports partial files that killed runs left behind."""
    for left in atomic_files.leftovers(path):
        left.unlink(missing_ok=True)
        logger.info("removed %s, left behind by a killed run", left)


def check_target(path: Path, overwrite: bool) -> None:
    """Refuses an output that exists or cannot be written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a file name")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists: give another name, or --overwrite")
    if not path.suffix:
        raise UserError(f"{path} has no extension: use .mp4, .mkv, .mov or .webm")
    # Missing parent folders are created later.
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if ffmpeg_errors.disk_is_full(error):
            raise
        raise UserError(
            f"{path} cannot be written ({error.strerror}): give another path"
        ) from error
