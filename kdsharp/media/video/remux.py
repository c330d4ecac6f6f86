"""Copies the other streams of a video: audio, subtitles, attachments, chapters.

Packets are copied if the new container supports their codec. Otherwise audio is
re-encoded and text subtitles are converted; bitmap subtitles and unknown data are
reported and dropped.
"""

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Stream

logger = logging.getLogger(__name__)

PacketConverter = Callable[[av.Packet | None], list[av.Packet]]
"""Converts a packet to the packets to write; None flushes it."""

# Tags that muxers write themselves.
_CONTAINER_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")
_STREAM_TAGS = ("encoder", "duration", "bps", "number_of", "_statistics", "rotate")

# Prefixes of the metadata keys of phones, such as com.apple.quicktime.make.
_KEYS = ("com.apple.", "com.android.")

# Text subtitle codecs, and the one that each container uses.
_TEXT = {"mov_text", "webvtt", "subrip", "ass", "srt", "ssa", "text"}
# Packets of H.264 and HEVC that can precede the first known decoding time.
_MOST_REORDERED = 16
_SUBTITLES = {
    "matroska": "subrip",
    "mov": "mov_text",
    "mp4": "mov_text",
    "webm": "webvtt",
}


def tags(of: dict[str, str], unwanted: tuple[str, ...] = _STREAM_TAGS) -> dict:
    """Metadata without the entries that muxers write."""
    return {
        name: text for name, text in of.items() if not name.lower().startswith(unwanted)
    }


def container_tags(container: InputContainer) -> dict[str, str]:
    """Metadata of the file: title, author, date, location."""
    return tags(container.metadata, _CONTAINER_TAGS)


def has_keys(container: InputContainer) -> bool:
    """Whether the file has QuickTime metadata keys, as phones write them."""
    return any(name.lower().startswith(_KEYS) for name in container.metadata)


def chapters(
    container: InputContainer, shift: Fraction, length: Fraction | None
) -> list[Any]:
    """The chapters, shifted by `shift` and cut at `length`."""
    found = []
    for chapter in container.chapters():
        base = chapter["time_base"]
        assert base is not None
        begin = max(chapter["start"] * base - shift, Fraction(0))
        end = chapter["end"] * base - shift
        if length is not None:
            end = min(end, length)
        if end > begin:
            times = {"start": round(begin / base), "end": round(end / base)}
            found.append({**chapter, **times})
    return found


def streams(container: InputContainer, picture: av.VideoStream) -> Iterator[Stream]:
    """Yields all streams but the main video.

    Chapter tracks are skipped, because the muxer writes its own.
    """
    for stream in container.streams:
        is_chapter_track = stream.type == "data" and container.chapters()
        if stream is not picture and not is_chapter_track:
            yield stream


def add(out: OutputContainer, stream: Stream) -> tuple[Stream, PacketConverter] | None:
    """Adds a stream to the output; returns it with its packet converter, or None."""
    kind = stream.type
    if kind == "attachment":
        return _copy_attachment(out, stream)
    if stream.codec_context is None or kind not in ("audio", "video", "subtitle"):
        return None
    try:
        new = out.add_stream_from_template(stream, opaque=True)
    except ValueError:
        made = {"audio": _reencode, "subtitle": _convert_subtitles}.get(kind)
        found = made(out, stream) if made else None
    else:
        found = new, _video_copier(new) if kind == "video" else _copier(new)
    if found:
        found[0].metadata.update(tags(stream.metadata))
        found[0].disposition = stream.disposition
    return found


def _copier(new: Stream) -> PacketConverter:
    def copy(packet: av.Packet | None) -> list[av.Packet]:
        if packet is None:
            return []
        if packet.dts is None:
            packet.dts = packet.pts
        packet.stream = new
        return [packet]

    return copy


def _video_copier(new: Stream) -> PacketConverter:
    """Copies packets, and completes decoding times.

    Of the first reordered frames Matroska has no decoding times: they are counted
    backwards from the first one that is known.
    """
    waiting: list[av.Packet] = []
    copy = _copier(new)

    def complete(packet: av.Packet | None) -> list[av.Packet]:
        known = None
        if packet is not None:
            known = packet.dts
            lacks_time = known is None and packet.pts is not None
            if lacks_time and len(waiting) < _MOST_REORDERED:
                waiting.append(packet)
                return []
        ready = [*waiting]
        waiting.clear()
        if known is None:  # Nothing is decoded later than it is shown.
            known = min((one.pts for one in ready if one.pts is not None), default=0)
            known += max(ready[-1].duration or 0, 1) if ready else 0
        for one in reversed(ready):
            known -= max(one.duration or 0, 1)
            one.dts = known
        return [made for one in [*ready, packet] for made in copy(one)]

    return complete


def _copy_attachment(out, stream) -> tuple[Stream, PacketConverter] | None:
    if out.format.name != "matroska":
        return None
    name = stream.name or "attachment"
    new = out.add_attachment(
        name, stream.mimetype or "application/octet-stream", stream.data or b""
    )
    return new, lambda packet: []


def _reencode(out, stream) -> tuple[Stream, PacketConverter] | None:
    """Re-encodes audio in the default codec of the container."""
    codec = {"opus": "libopus", "vorbis": "libopus"}.get(
        out.default_audio_codec, out.default_audio_codec
    )
    given = stream.codec_context
    rate = 48000 if codec == "libopus" else given.sample_rate
    try:
        new = out.add_stream(codec, rate=rate, layout=given.layout.name)
        context = new.codec_context
        context.time_base = Fraction(1, rate)
        context.open()
    except (FFmpegError, ValueError):
        return None
    logger.warning(
        "audio: %s does not support %s, so it is re-encoded as %s",
        out.format.name,
        given.name,
        codec,
    )
    resampler = av.AudioResampler(
        format=context.format, layout=context.layout, rate=rate
    )
    fifo = av.AudioFifo()

    def encode(packet: av.Packet | None) -> list[av.Packet]:
        try:
            frames = given.decode(packet)
        except InvalidDataError:
            return []
        made = [part for frame in frames for part in resampler.resample(frame)]
        if packet is None:
            made += resampler.resample(None)
        for part in made:
            fifo.write(part)
        ready = (
            fifo.read_many(context.frame_size) if context.frame_size else [fifo.read()]
        )
        if packet is None:
            ready += [fifo.read(partial=True), None]
        return [
            encoded
            for part in ready
            if part is not None or packet is None
            for encoded in new.encode(part)
        ]

    return new, encode


def _convert_subtitles(out, stream) -> tuple[Stream, PacketConverter] | None:
    """Converts text subtitles to the default codec of the container."""
    given = stream.codec_context
    wanted = _SUBTITLES.get(out.format.name, out.default_subtitle_codec)
    if given.name not in _TEXT or wanted not in _TEXT:
        return None
    new = out.add_stream(wanted)
    given.open(strict=False)
    context = new.codec_context
    context.subtitle_header = given.subtitle_header
    context.time_base = stream.time_base
    new.time_base = stream.time_base

    def rewrite(packet: av.Packet | None) -> list[av.Packet]:
        if packet is None or not packet.size:
            return []
        if not (words := given.decode2(packet)):
            return []
        made = context.encode_subtitle(words)
        made.pts = made.dts = packet.pts
        made.duration, made.time_base = packet.duration, packet.time_base
        made.stream = new
        return [made]

    return new, rewrite
