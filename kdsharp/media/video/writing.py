"""A video file that is being written: frames are encoded, packets carried over."""

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
from av.sidedata.sidedata import Type
from av.video.frame import PictureType

from kdsharp.base import atomic_files, priorities
from kdsharp.errors import UserError
from kdsharp.media.video import (
    encoding,
    failures,
    formats,
    frames,
    remux,
    segments,
)

logger = logging.getLogger(__name__)

# In pieces of a second that reach the disk at once, so that what is written can be
# played whatever happens next; at the end MP4's become one index, as of any other file.
_AT_ONCE = {"flush_packets": "1"}
_FRAGMENTS = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "1000000"}
_CLUSTERS = {"cluster_time_limit": "1000"}
_PIECES = dict.fromkeys(
    ("mp4", "mov", "ipod", "3gp", "3g2", "f4v", "ismv"), _FRAGMENTS
) | dict.fromkeys(("matroska", "webm"), _CLUSTERS)

# FFmpeg's flag of a container whose frames may last as long as they like.
_VARIABLE_RATE = 0x0400


class VideoSource(Protocol):
    """What a writer has to know of what is read."""

    container: av.container.InputContainer
    video: av.VideoStream
    shift: Fraction
    length: Fraction | None
    rate: Fraction


@dataclasses.dataclass(frozen=True)
class Target:
    """Where it is written to; `name` is what people know it by."""

    url: str
    name: str
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    advice: str = "give OUT another ending, such as .mkv or .mp4"


class VideoWriter:
    """Takes frames like `frame`, and the packets of a reader's other streams.

    Given a folder, it keeps what is encoded there, in segments, and takes those that
    are there instead of frames.
    """

    def __init__(
        self,
        target: Target,
        reader: VideoSource,
        frame: av.VideoFrame,
        wanted: encoding.Encoding,
        kept: segments.Folder | None = None,
    ):
        with failures.told(f"{target.name} cannot be written", target.advice):
            self._out = av.open(target.url, "w", format=target.format)
        pieces = dict(_PIECES.get(self._out.format.name, {}))
        if "movflags" in pieces and remux.has_keys(reader.container):
            pieces["movflags"] += "+use_metadata_tags"
        self._out.container_options.update(_AT_ONCE | pieces | dict(target.options))
        source = reader.video.codec_context.codec.canonical_name
        self._codec = encoding.find(wanted, self._out, source, frame.format.name)
        self.pixels = formats.taken(self._codec, frame.format.name)
        add = functools.partial(
            _add_picture, self._codec, self.pixels, reader, frame, wanted
        )
        self._picture = self._encoder = add(self._out)
        if kept is not None:
            # A segment's encoder is that of another such file, which is never written.
            name = self._out.format.name
            self._encoder = segments.SegmentedEncoder(
                kept,
                self._picture,
                lambda: add(av.open(io.BytesIO(), "w", format=name)),
            )
        if not wanted.live:
            _tell_changes(source, self._codec, frame, self.pixels, wanted)
        self._carriers: dict[int, remux.Carrier] = {}
        for stream in remux.streams(reader.container, reader.video):
            if (added := remux.add(self._out, stream)) is None:
                logger.warning(
                    "left out: stream %d (%s, %s), which %s cannot hold",
                    stream.index,
                    stream.type,
                    stream.name or "of no known codec",
                    self._out.format.name,
                )
                continue
            self._carriers[stream.index] = added[1]
        self._out.metadata.update(remux.container_tags(reader.container))
        self._out.set_chapters(
            remux.chapters(reader.container, reader.shift, reader.length)
        )
        self._last = -1
        self.frames = 0
        with failures.told(f"{target.name} cannot be begun", target.advice):
            self._out.start_encoding()

    @property
    def reached(self) -> Fraction:
        """When the last frame began, in seconds."""
        return max(self._last, 0) * self._picture.codec_context.time_base

    @property
    def carried(self) -> set[int]:
        """Indices of the reader's streams whose packets this file takes."""
        return set(self._carriers)

    def frame(self, frame: av.VideoFrame) -> list[int]:
        """Encodes a frame and writes what is ready; returns the times of that.

        Times are the frames' `pts`, as they are when this returns.
        """
        # The encoder chooses, not who encoded it before.
        frame.pict_type = PictureType.NONE
        base = self._picture.codec_context.time_base
        if frame.time_base != base:
            frame.duration = round(frame.duration * frame.time_base / base)
            frame.pts = round(frame.pts * frame.time_base / base)
            frame.time_base = base
        frame.pts = self._last = max(frame.pts, self._last + 1)
        packets = self._encoder.encode(frame)
        times = [packet.pts for packet in packets]
        self._out.mux(packets)
        self.frames += 1
        return times

    def packet(self, packet: av.Packet) -> None:
        """Writes a packet of another stream."""
        for made in self._carriers[packet.stream_index](packet):
            self._out.mux(made)

    def finish(self) -> None:
        """Writes what is held back, and the file's end."""
        self._out.mux(self._encoder.encode(None))
        for carrier in self._carriers.values():
            for made in carrier(None):
                self._out.mux(made)
        self._out.close()

    def abandon(self) -> None:
        """Closes the file where nothing can be written any more."""
        if isinstance(self._encoder, segments.SegmentedEncoder):
            self._encoder.abandon()
        try:
            self._out.close()
        except av.FFmpegError as error:
            logger.debug("while closing: %s", error)


def _add_picture(
    codec: av.Codec,
    pixels: str,
    reader: VideoSource,
    frame: av.VideoFrame,
    wanted: encoding.Encoding,
    out: av.container.OutputContainer,
) -> av.VideoStream:
    """Returns a stream for such frames, whose encoder is ready to begin."""
    rate = Fraction(reader.rate).limit_denominator(1_000_000)
    base = encoding.time_base(codec, frame.time_base, rate)
    if not out.format.flags & _VARIABLE_RATE:
        base = 1 / rate
    options = encoding.options(codec, wanted)
    with failures.told("OUT", "give it another ending, or choose another --codec"):
        stream = out.add_stream(
            codec.name,
            rate=rate,
            width=frame.width,
            height=frame.height,
            time_base=base,
            options=options,
        )
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
    encoding.set_up(codec, context, wanted, rate)
    if name := encoding.name_in(out, codec):
        context.codec_tag = name
    if frame.interlaced_frame:
        order = reader.video.codec_context.field_order
        encoding.code_fields(codec, context, order)
    if turned := _display_matrix(frame):
        stream.set_display_matrix(turned)
    stream.metadata.update(remux.tags(reader.video.metadata))
    stream.disposition = reader.video.disposition
    what = f"{codec.name} does not begin"
    with failures.told(what, _advice(context)), priorities.kept():
        context.open()
    return stream


def _tell_changes(
    source: str,
    codec: av.Codec,
    frame: av.VideoFrame,
    pixels: str,
    wanted: encoding.Encoding,
) -> None:
    """Says what of the picture is not as it was, unless it was asked for."""
    if wanted.codec is None and codec.canonical_name != source:
        logger.info("the video's %s becomes %s", source, codec.canonical_name)
    if formats.has_alpha(frame.format.name) and not formats.has_alpha(pixels):
        logger.warning("%s holds no transparency: it is left out", codec.name)
    elif pixels != frame.format.name:
        logger.info(
            "pixels of %s become %s, which %s takes",
            frame.format.name,
            pixels,
            codec.name,
        )
    if wanted.grading and not wanted.grading.options(codec.name):
        logger.warning(
            "%s holds nothing of the screen the video was graded on: it is left out",
            codec.name,
        )


def _advice(context: av.VideoCodecContext) -> str:
    """Returns what to do where an encoder refuses."""
    width, height = context.width, context.height
    # Planes of chroma, where they are smaller, round an odd side up.
    chroma = context.format.chroma_width(width), context.format.chroma_height(height)
    uneven = (
        2 * smaller > side
        for smaller, side in zip(chroma, (width, height), strict=True)
        if smaller < side
    )
    if any(uneven):
        return (
            f"many encoders take no odd size ({width}x{height}) where chroma is "
            "halved: --codec vp9, av1, mpeg4 and ffv1 do"
        )
    return "choose other options of the codec, or another codec"


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Returns how a player is to turn and mirror the picture."""
    try:
        return struct.unpack("<9i", bytes(frame.side_data[Type.DISPLAYMATRIX]))
    except KeyError:
        return None


def clear(path: Path) -> None:
    """Removes what runs that were killed left of that file, and says so."""
    for left in atomic_files.leftovers(path):
        left.unlink(missing_ok=True)
        logger.info("removed %s, which a run that was killed left behind", left)


def check_free(path: Path, overwrite: bool) -> None:
    """Says so where there is a file of that name already, or no place for one."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file to write")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists: give another name, or --overwrite")
    if not path.suffix:
        raise UserError(f"{path} has no ending: name OUT as .mp4, .mkv, .mov, .webm")
    # Folders on the way to it are made once there is something to put there.
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if failures.disk_is_full(error):
            raise
        raise UserError(
            f"{path} cannot be written ({error.strerror}): name another place for OUT"
        ) from error
