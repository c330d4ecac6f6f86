"""Video encoders: their choice and their options."""

import dataclasses
import math
import os
from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags
from av.container import OutputContainer

from kdsharp.errors import UserError
from kdsharp.media.video import formats, hdr

# Encoders by the common names of their codecs.
_NAMES = {
    "h264": "libx264",
    "x264": "libx264",
    "avc": "libx264",
    "h265": "libx265",
    "x265": "libx265",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
}

# Streaming formats support these encoders, but FFmpeg does not list them.
_STREAMS = ("mpegts", "rtp_mpegts", "rtsp")
_STREAMED = ("libx264", "libx265")

# Codecs that are kept by default; older codecs are re-encoded as H.264.
_FOLLOWED = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "ffv1": "ffv1",
}

_OTHERS = ("libx264", "libsvtav1")

# Encoders that support interlaced video.
_OF_FIELDS = ("libx264", "mpeg2video", "mpeg4", "prores_ks", "ffv1", "rawvideo")

# Apple's players recognise HEVC only by this tag.
_TAGS = {"libx265": "hvc1"}
_TAGGED = ("mp4", "mov", "ipod")

# Quality high enough to keep the restored detail, at a speed that is not a bottleneck.
_CRF = {"libx264": 18, "libx265": 20, "libsvtav1": 28, "libvpx-vp9": 28, "libvpx": 8}
_PRESET = {"libx264": "veryfast", "libx265": "veryfast", "libsvtav1": "10"}
_OTHERWISE = {
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "6"},
    "libx265": {"x265-params": "log-level=error"},
}

# The largest CRF of each encoder.
_WORST = {
    "libx264": 51,
    "libx265": 51,
    "libsvtav1": 63,
    "libvpx-vp9": 63,
    "libvpx": 63,
}

# Options that make encoders output each frame at once.
_LIVE = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libvpx": {"lag-in-frames": "0"},
    "libvpx-vp9": {"lag-in-frames": "0"},
    # Without rtc=1, version 4.1 deadlocks with low delay on a busy machine.
    "libsvtav1": {"svtav1-params": "pred-struct=1:rtc=1:lookahead=0"},
}

# A fixed quantiser, in FFmpeg's unit, for codecs without CRF.
_QUANTISER = 3 * 118
_QUANTISED = ("mpeg4", "mjpeg", "mpeg2video", "mpeg1video", "h263")

# The largest denominator of the time base in MPEG-4 Visual.
_FINEST = {"mpeg4": 65535}


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How video is encoded; None leaves the choice to the source and the container."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    threads: int = 0
    live: bool = False
    hdr_metadata: hdr.HdrMetadata | None = None


def find(
    wanted: Encoding, container: OutputContainer, source: str, pixels: str
) -> av.Codec:
    """Chooses the requested encoder, or that of the source's codec.

    If the container does not support that codec, or the encoder not the pixel format,
    it chooses another encoder that does.
    """
    name = wanted.codec or container.default_video_codec
    if wanted.codec is None:
        followed = () if wanted.live else (_FOLLOWED.get(source), *_OTHERS)
        usual = [
            encoder
            for encoder in (*followed, "libx264")
            if encoder and _holds(container, encoder)
        ]
        exact = [
            encoder
            for encoder in usual
            if formats.nearest_supported(av.Codec(encoder, "w"), pixels) == pixels
        ]
        name = (exact or usual or [name])[0]
    try:
        codec = av.Codec(_NAMES.get(name, name), "w")
    except ValueError as error:
        raise UserError(
            f"unknown codec {name!r}; choose one of: h264, hevc, av1, vp9, mpeg4, "
            "ffv1, prores, or another encoder of PyAV's FFmpeg"
        ) from error
    # Keeps SVT-AV1 from printing its version and settings.
    os.environ.setdefault("SVT_LOG", "1")
    if codec.type != "video":
        raise UserError(f"{name} encodes {codec.type}: give --codec a video codec")
    return codec


def _holds(container: OutputContainer, encoder: str) -> bool:
    if container.format.name in _STREAMS:
        return encoder in _STREAMED
    if encoder == "ffv1" and container.format.name in _TAGGED:
        # FFmpeg can write it, but players of MP4 cannot play it.
        return False
    return encoder in container.supported_codecs


def time_base(codec: av.Codec, base: Fraction, rate: Fraction) -> Fraction:
    """The time base for the encoder: that of the file, if it supports it."""
    finest = _FINEST.get(codec.name)
    if finest and base.denominator > finest:
        # Frame durations of all common rates are multiples of this.
        return Fraction(1, 60000) if rate.numerator <= 60000 else 1 / rate
    return base


def options(codec: av.Codec, wanted: Encoding) -> dict[str, str]:
    """The private options of the encoder."""
    context = av.CodecContext.create(codec, "w")
    known = {option.name for option in context.supported_options.private}
    chosen: dict[str, Any] = dict(_OTHERWISE.get(codec.name, {}))
    for name, default in (("crf", _CRF), ("preset", _PRESET)):
        value = getattr(wanted, name)
        if value is not None and name not in known:
            raise UserError(f"{codec.name} has no option {name}: leave out --{name}")
        if name == "crf" and value is not None:
            _check_crf(codec.name, value)
        if value is None:
            value = default.get(codec.name)
        if value is not None:
            chosen[name] = f"{value:g}" if name == "crf" else value
    if wanted.live:
        chosen.update(_LIVE.get(codec.name, {}))
    if wanted.hdr_metadata:
        for name, value in wanted.hdr_metadata.options(codec.name).items():
            chosen[name] = f"{chosen[name]}:{value}" if name in chosen else value
    return chosen


def _check_crf(codec: str, value: float) -> None:
    worst = _WORST.get(codec, math.inf)
    if not 0 <= value <= worst:
        raise UserError(
            f"--crf {value:g} is out of range: {codec} takes 0 (the best) to {worst:g}"
        )


def codec_tag(container: OutputContainer, codec: av.Codec) -> str | None:
    """The codec tag for the container, if it needs a specific one."""
    return _TAGS.get(codec.name) if container.format.name in _TAGGED else None


def enable_interlacing(
    codec: av.Codec, context: av.VideoCodecContext, order: int | None
) -> None:
    """Enables interlaced coding; `order` is FFmpeg's field order."""
    if codec.name not in _OF_FIELDS:
        raise UserError(
            f"the video is interlaced, which {codec.name} does not support: use "
            "--deinterlace, or --codec h264, mpeg2video or prores"
        )
    context.flags |= int(Flags.interlaced_dct) | int(Flags.interlaced_me)
    if order:
        context.field_order = order


def configure(
    codec: av.Codec, context: av.VideoCodecContext, wanted: Encoding, rate: Fraction
) -> None:
    """Sets the options that encoders have in common.

    Codecs without another quality option get a fine quantiser. Live video gets a
    keyframe every two seconds, so that receivers can join.
    """
    context.thread_count = wanted.threads
    if wanted.live:
        context.gop_size = max(round(2 * rate), 1)
        context.max_b_frames = 0
    if codec.name in _QUANTISED:
        context.qscale = True
        context.global_quality = _QUANTISER
