"""Encoders: which one, how good, how fast, and what each of them calls that."""

import dataclasses
import math
import os
from fractions import Fraction

import av
from av.codec.context import Flags

from kdsharp.errors import UserError
from kdsharp.media.video import formats, hdr

# What people call a codec, and the encoder that is meant.
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

# They hold these, and do not say so when they are asked.
_STREAMS = ("mpegts", "rtp_mpegts", "rtsp")
_STREAMED = ("libx264", "libx265")

# What a video of these stays, unless told otherwise. Of older codecs H.264 is made.
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

# Those that code two fields, or keep them as they are.
_OF_FIELDS = ("libx264", "mpeg2video", "mpeg4", "prores_ks", "ffv1", "rawvideo")

# By this name, and by no other, Apple's players know HEVC.
_TAGS = {"libx265": "hvc1"}
_TAGGED = ("mp4", "mov", "ipod")

# A quality at which the encoder does not undo what was restored, and a speed at which
# it is not what everything waits for.
_CRF = {"libx264": 18, "libx265": 20, "libsvtav1": 28, "libvpx-vp9": 28, "libvpx": 8}
_PRESET = {"libx264": "veryfast", "libx265": "veryfast", "libsvtav1": "10"}
_OTHERWISE = {
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "6"},
    "libx265": {"x265-params": "log-level=error"},
}

# The worst quality that each of them knows by that name.
_WORST = {
    "libx264": 51,
    "libx265": 51,
    "libsvtav1": 63,
    "libvpx-vp9": 63,
    "libvpx": 63,
}

# What holds back no frame.
_LIVE = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libvpx": {"lag-in-frames": "0"},
    "libvpx-vp9": {"lag-in-frames": "0"},
    # Without rtc=1, version 4.1 deadlocks with low delay on a busy machine.
    "libsvtav1": {"svtav1-params": "pred-struct=1:rtc=1:lookahead=0"},
}

# Where there is no CRF: a quantiser, in FFmpeg's unit.
_QUANTISER = 3 * 118
_QUANTISED = ("mpeg4", "mjpeg", "mpeg2video", "mpeg1video", "h263")

# What MPEG-4 Visual can count a second in.
_FINEST = {"mpeg4": 65535}


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How video is encoded; what is None, the source and the container choose."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    threads: int = 0
    live: bool = False
    grading: hdr.Grading | None = None


def find(
    wanted: Encoding, container: av.container.OutputContainer, source: str, pixels: str
) -> av.Codec:
    """Returns the encoder that is asked for, or that of the source's codec.

    Where the container does not hold that, or the encoder not such pixels, it is
    another that holds both, else one that suits the container.
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
            if formats.taken(av.Codec(encoder, "w"), pixels) == pixels
        ]
        name = (exact or usual or [name])[0]
    try:
        codec = av.Codec(_NAMES.get(name, name), "w")
    except ValueError as error:
        raise UserError(
            f"no encoder {name!r} here; known are h264, hevc, av1, vp9, mpeg4, ffv1, "
            "prores and whatever else PyAV's FFmpeg encodes"
        ) from error
    # Otherwise it tells its version, its settings and its advice on every start.
    os.environ.setdefault("SVT_LOG", "1")
    if codec.type != "video":
        raise UserError(f"{name} encodes {codec.type}: --codec takes one of video")
    return codec


def _holds(container: av.container.OutputContainer, encoder: str) -> bool:
    if container.format.name in _STREAMS:
        return encoder in _STREAMED
    if encoder == "ffv1" and container.format.name in _TAGGED:
        # FFmpeg writes it there, but what plays MP4 does not play it.
        return False
    return encoder in container.supported_codecs


def time_base(codec: av.Codec, base: Fraction, rate: Fraction) -> Fraction:
    """Returns what the encoder counts time in: the file's unit where it can."""
    finest = _FINEST.get(codec.name)
    if finest and base.denominator > finest:
        # Every usual rate, and its frames, are whole numbers of these.
        return Fraction(1, 60000) if rate.numerator <= 60000 else 1 / rate
    return base


def options(codec: av.Codec, wanted: Encoding) -> dict[str, str]:
    """Returns the encoder's own options."""
    context = av.CodecContext.create(codec, "w")
    known = {option.name for option in context.supported_options.private}
    chosen = dict(_OTHERWISE.get(codec.name, {}))
    for name, default in (("crf", _CRF), ("preset", _PRESET)):
        value = getattr(wanted, name)
        if value is not None and name not in known:
            raise UserError(f"{codec.name} knows no {name}: leave out --{name}")
        if name == "crf" and value is not None:
            _check_crf(codec.name, value)
        if value is None:
            value = default.get(codec.name)
        if value is not None:
            chosen[name] = f"{value:g}" if name == "crf" else value
    if wanted.live:
        chosen.update(_LIVE.get(codec.name, {}))
    if wanted.grading:
        for name, value in wanted.grading.options(codec.name).items():
            chosen[name] = f"{chosen[name]}:{value}" if name in chosen else value
    return chosen


def _check_crf(codec: str, value: float) -> None:
    worst = _WORST.get(codec, math.inf)
    if not 0 <= value <= worst:
        raise UserError(
            f"--crf {value:g} is out of range: {codec} takes 0 (the best) to {worst:g}"
        )


def name_in(container: av.container.OutputContainer, codec: av.Codec) -> str | None:
    """Returns what the container is to call the codec, where that matters."""
    return _TAGS.get(codec.name) if container.format.name in _TAGGED else None


def code_fields(
    codec: av.Codec, context: av.VideoCodecContext, order: int | None
) -> None:
    """Lets the encoder code two fields; `order` is FFmpeg's number for theirs."""
    if codec.name not in _OF_FIELDS:
        raise UserError(
            f"the video is interlaced, which {codec.name} does not code: --deinterlace "
            "makes whole frames of it, --codec h264, mpeg2video and prores keep it"
        )
    context.flags |= int(Flags.interlaced_dct) | int(Flags.interlaced_me)
    if order:
        context.field_order = order


def set_up(
    codec: av.Codec, context: av.VideoCodecContext, wanted: Encoding, rate: Fraction
) -> None:
    """Sets what encoders have in common.

    Where there is no other quality to choose that is a fine quantiser; live, a picture
    every other second that whoever joins can begin with.
    """
    context.thread_count = wanted.threads
    if wanted.live:
        context.gop_size = max(round(2 * rate), 1)
        context.max_b_frames = 0
    if codec.name in _QUANTISED:
        context.qscale = True
        context.global_quality = _QUANTISER
