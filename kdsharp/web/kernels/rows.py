"""Functions on one row of a folded picture: 16-bit input, 32-bit sums, 16-bit output.

A position in a row holds its channels in sequence, two bytes each. Reads start one
position left of the row; that position and the one after its end are zeros. Functions
may write some positions beyond the given count.
"""

import struct

from kdsharp.web.kernels.assembler import F32, I32, Function

# Positions computed at once; more would exceed the number of registers.
_TOGETHER = {True: 4, False: 2}

# Pixels are shifted left by this many bits, to 12 bits.
SHIFT = 4
_FOLDED = 4

# The limit of values between layers.
MOST = 32768

# Adding this to floats below 2^22 rounds them to integers in their lowest bits.
_MAGIC = 1.5 * 2**23
_ZERO = bytes(16)


def fold() -> Function:
    """`fold(upper, lower, out, count, black)`: packs two rows of bytes into one row."""
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
        # Pairs of pixels, alternating between the upper and the lower row.
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
    """`NAME(above, here, below, numbers, more, out, count, gain)`: an inner layer.

    It convolves, multiplies by the gain, applies a leaky ReLU, and adds the row `more`.
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
    """`last(above, here, below, numbers, ...)`: the last layer, with unfolding.

    `upper` and `lower` are rows of pixels to which the residual is added, and
    `upper_out` and `lower_out` receive the sums; `gain` scales the residual, in grey
    levels.
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
    """Adds the sums of products of a 3x3 convolution.

    The channels of three positions are contiguous, so a loop walks over their pairs. It
    is not unrolled: older versions of V8 load all operands of a block before they
    compute, and spill those that do not fit into registers.
    """
    for counter in ("cursor", "table", "pairs"):
        f.variable(counter, I32)
    for place in range(together):
        f.variable(f"pair of {place}")
        for q in range(vectors):
            f.variable(_sum(place, q))
            f.vector(_ZERO)
            f.set(_sum(place, q))
    f.get("numbers")
    f.set("table")
    for row in ("above", "here", "below"):
        f.get(row)
        f.set("cursor")
        f.integer(3 * channels // 2)
        f.set("pairs")
        f.begin_loop()
        for place in range(together):
            f.load("v128.load32_splat", "cursor", 2 * channels * place)
            f.set(f"pair of {place}")
        for q in range(vectors):
            f.load("v128.load", "table", 16 * q)
            f.set("weights")
            for place in range(together):
                f.get(f"pair of {place}")
                f.get("weights")
                f.do("i32x4.dot_i16x8_s")
                f.get(_sum(place, q))
                f.do("i32x4.add")
                f.set(_sum(place, q))
        f.advance("cursor", 4)
        f.advance("table", 16 * vectors)
        f.advance("pairs", -1)
        f.end_loop_unless_positive("pairs")


def _scaled(
    f: Function, place: int, q: int, at: int, vectors: int, *, by_gain: bool
) -> None:
    """Adds the conversion of sums to float, times their step, plus the bias."""
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
    """Adds rounding of floats to integers within the range of 16 bits."""
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
