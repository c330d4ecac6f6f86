"""Parsing and formatting of times."""

import re
from fractions import Fraction

from kdsharp.errors import UserError

_MOMENT = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")


def parse_seconds(text: str, name: str) -> Fraction:
    """Parses `90`, `1:30` or `0:01:30.5` to seconds."""
    if not (found := _MOMENT.fullmatch(text.strip())):
        raise UserError(f"{name} must be a time in seconds or h:mm:ss, not {text!r}")
    hours, minutes, rest = (Fraction(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def format_time(moment: float | Fraction) -> str:
    """Formats a time as `0:01:30.5`."""
    tenths = round(float(moment) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{tenths // 10:02}.{tenths % 10}"
