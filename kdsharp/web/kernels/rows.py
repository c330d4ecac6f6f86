"""Functions of one row of a folded picture: 16 bits in, sums of 32 bits, 16 bits out.

A place of a row is its channels one after another, two bytes each. What a function
reads begins one place left of the row, where there is a place of zeros, as there is
behind its end. It may write some places more than it is told to.
"""

import struct

from kdsharp.web.kernels.assembler import F32, I32, Function

# Sums are made for so many places at once: more need more registers than there are.
_TOGETHER = {True: 4, False: 2}

# Pixels are multiplied by 2 to this power, so that they fill 12 bits.
SHIFT = 4
_FOLDED = 4

# Values between layers are limited to this.
MOST = 32768

# What is added to floats of less than 2^22 to have them rounded in their last bits.
_MAGIC = 1.5 * 2**23
_ZERO = bytes(16)


def fold() -> Function:
    """Returns `fold(upper, lower, out, count, black)`: two rows of bytes to one."""
    f = Function(
        "fold", dict.fromkeys(("upper", "lower", "out", "count", "black"), I32)
    )
    f.variable("dark")
    f.get("black")
    f.do("i16x8.splat")
    f.set("dark")
    for row in ("upper", "lower"):
        f.variable(f"{row} row")
    f.begin_loop()
    for row in ("upper", "lower"):
        f.load("v128.load64_zero", row, 0)
        f.do("i16x8.extend_low_i8x16_u")
        f.get("dark")
        f.do("i16x8.sub")
        f.integer(SHIFT)
        f.do("i16x8.shl")
        f.set(f"{row} row")
    for half in (0, 1):
        f.get("out")
        f.get("upper row")
        f.get("lower row")
        # Pairs of pixels, from above and from below in turns.
        pairs = [2 * half, 4 + 2 * half, 2 * half + 1, 4 + 2 * half + 1]
        f.shuffle([4 * pair + byte for pair in pairs for byte in range(4)])
        f.do("v128.store", offset=16 * half)
    for row in ("upper", "lower"):
        f.advance(row, 8)
    f.advance("out", 4 * 2 * _FOLDED)
    f.advance("count", -4)
    f.end_loop_unless_positive("count")
    return f


def inner(name: str, channels: int, filters: int) -> Function:
    """Returns `NAME(above, here, below, numbers, more, out, count, gain)`.

    It convolves, multiplies by the gain, applies a leaky ReLU and adds the row `more`.
    """
    f = _convolution(name, channels, ("more", "out"))
    vectors, together = filters // 4, _TOGETHER[False]
    _sums(f, channels, vectors, together)
    at = 9 * channels // 2 * vectors * 16
    for place in range(together):
        for q in range(vectors):
            _scaled(f, place, q, at, vectors, by_gain=True)
            f.set("x")
            f.get("x")
            f.vector(_ZERO)
            f.do("f32x4.pmax")
            f.get("x")
            f.vector(_ZERO)
            f.do("f32x4.pmin")
            f.load("v128.load", "numbers", at + 16 * (2 * vectors + q))
            f.do("f32x4.mul")
            f.do("f32x4.add")
            _rounded(f)
            f.set(_sum(place, q))
        for q in range(0, vectors, 2):
            offset = 2 * filters * place + 8 * q
            f.get("out")
            f.get(_sum(place, q))
            f.get(_sum(place, q + 1))
            f.do("i16x8.narrow_i32x4_s")
            f.load("v128.load", "more", offset)
            f.do("i16x8.add_sat_s")
            f.do("v128.store", offset=offset)
    for row in ("out", "more"):
        f.advance(row, together * 2 * filters)
    _next(f, channels, together)
    return f


def last(channels: int) -> Function:
    """Returns `last(above, here, below, numbers, ...)`, which unfolds what it gives.

    `upper, lower` are the rows of pixels that it adds to, `upper_out, lower_out` where
    their sums go; the gain is of what the network adds, in grey levels.
    """
    outs = ("upper", "lower", "upper_out", "lower_out")
    f = _convolution("last", channels, outs)
    together = _TOGETHER[True]
    _sums(f, channels, 1, together)
    at = 9 * channels // 2 * 16
    for place in range(together):
        _scaled(f, place, 0, at, 1, by_gain=False)
        f.get("gains")
        f.do("f32x4.mul")
        _rounded(f)
        f.set(_sum(place, 0))
    for pair in (0, 1):
        f.variable(f"pair {pair}")
        f.get(_sum(2 * pair, 0))
        f.get(_sum(2 * pair + 1, 0))
        f.do("i16x8.narrow_i32x4_s")
        f.set(f"pair {pair}")
    for row in (0, 1):
        f.get(outs[2 + row])
        f.get("pair 0")
        f.get("pair 1")
        parts = [row, row + 2, row + 4, row + 6]
        f.shuffle([4 * part + byte for part in parts for byte in range(4)])
        f.load("v128.load64_zero", outs[row], 0)
        f.do("i16x8.extend_low_i8x16_u")
        f.do("i16x8.add")
        f.vector(_ZERO)
        f.do("i8x16.narrow_i16x8_u")
        f.store_half()
    for row in outs:
        f.advance(row, 2 * together)
    _next(f, channels, together)
    return f


def _convolution(name: str, channels: int, rows: tuple[str, ...]) -> Function:
    integers = ("above", "here", "below", "numbers", *rows, "count")
    f = Function(name, {**dict.fromkeys(integers, I32), "gain": F32})
    f.variable("x")
    f.variable("weights")
    f.variable("gains")
    f.get("gain")
    f.do("f32x4.splat")
    f.set("gains")
    f.begin_loop()
    return f


def _sums(f: Function, channels: int, vectors: int, together: int) -> None:
    """Adds the products of 3x3 places, all of them written out."""
    for place in range(together):
        f.variable(f"pair of {place}")
        for q in range(vectors):
            f.variable(_sum(place, q))
            f.vector(_ZERO)
            f.set(_sum(place, q))
    at = 0
    for row in ("above", "here", "below"):
        for column in range(3):
            for pair in range(channels // 2):
                for place in range(together):
                    offset = 2 * channels * (column + place) + 4 * pair
                    f.load("v128.load32_splat", row, offset)
                    f.set(f"pair of {place}")
                for q in range(vectors):
                    f.load("v128.load", "numbers", at)
                    f.set("weights")
                    at += 16
                    for place in range(together):
                        f.get(f"pair of {place}")
                        f.get("weights")
                        f.do("i32x4.dot_i16x8_s")
                        f.get(_sum(place, q))
                        f.do("i32x4.add")
                        f.set(_sum(place, q))


def _scaled(
    f: Function, place: int, q: int, at: int, vectors: int, *, by_gain: bool
) -> None:
    """Adds sums as floats, times their steps, plus the bias."""
    f.get(_sum(place, q))
    f.do("f32x4.convert_i32x4_s")
    f.load("v128.load", "numbers", at + 16 * q)
    f.do("f32x4.mul")
    if by_gain:
        f.get("gains")
        f.do("f32x4.mul")
    f.load("v128.load", "numbers", at + 16 * (vectors + q))
    f.do("f32x4.add")


def _rounded(f: Function) -> None:
    """Adds the nearest integers of floats, those that 16 bits hold."""
    for limit, operator in ((MOST, "pmin"), (-MOST, "pmax")):
        f.vector(struct.pack("<f", limit) * 4)
        f.do(f"f32x4.{operator}")
    magic = struct.pack("<f", _MAGIC) * 4
    f.vector(magic)
    f.do("f32x4.add")
    f.vector(magic)
    f.do("i32x4.sub")


def _next(f: Function, channels: int, together: int) -> None:
    for row in ("above", "here", "below"):
        f.advance(row, together * 2 * channels)
    f.advance("count", -together)
    f.end_loop_unless_positive("count")


def _sum(place: int, q: int) -> str:
    return f"sum {place} {q}"
