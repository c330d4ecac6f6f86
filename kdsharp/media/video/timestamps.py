"""Moments in a video, as people write and read them."""

import re
from fractions import Fraction

from kdsharp.errors import UserError

_MOMENT = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


def seconds(text: str, name: str) -> Fraction:
    """Returns the seconds of `90`, `1:30` or `0:01:30.5`."""
    if not (found := _MOMENT.fullmatch(text.strip())):
        raise UserError(f"{name} {text!r} is no time: give seconds, or h:mm:ss")
    hours, minutes, rest = (Fraction(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def spelled(moment: float | Fraction) -> str:
    """Returns `0:01:30.5`."""
    tenths = round(float(moment) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{tenths // 10:02}.{tenths % 10}"
