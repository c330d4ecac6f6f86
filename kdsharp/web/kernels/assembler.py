"""A minimal WebAssembly assembler, with the instructions that `rows` needs."""

import struct
from collections.abc import Sequence

I32, F32, V128 = 0x7F, 0x7D, 0x7B
_FUNCTION, _BLOCK_WITHOUT_RESULT = 0x60, 0x40
_SIMD = 0xFD

_PLAIN = {
    "i32.add": 0x6A,
    "i32.sub": 0x6B,
    "i32.gt_s": 0x4A,
}
_VECTOR = {
    "v128.load": 0,
    "v128.load32_splat": 9,
    "v128.store": 11,
    "v128.load64_zero": 93,
    "i16x8.splat": 16,
    "f32x4.splat": 19,
    "i8x16.narrow_i16x8_u": 102,
    "i16x8.narrow_i32x4_s": 133,
    "i16x8.extend_low_i8x16_u": 137,
    "i16x8.shl": 139,
    "i16x8.add": 142,
    "i16x8.add_sat_s": 143,
    "i16x8.sub": 145,
    "i32x4.add": 174,
    "i32x4.sub": 177,
    "i32x4.dot_i16x8_s": 186,
    "f32x4.add": 228,
    "f32x4.mul": 230,
    "f32x4.pmin": 234,
    "f32x4.pmax": 235,
    "f32x4.convert_i32x4_s": 250,
}
_MEMORY = {"v128.load", "v128.load32_splat", "v128.store", "v128.load64_zero"}


class Function:
    """The instructions of a function with named parameters and variables."""

    def __init__(self, name: str, parameters: dict[str, int]):
        self.name = name
        self.parameters = dict(parameters)
        self.variables: dict[str, int] = {}
        self.code = bytearray()

    def variable(self, name: str, kind: int = V128) -> str:
        """Declares a variable, initially 0, and returns its name."""
        self.variables[name] = kind
        return name

    def get(self, name: str) -> None:
        self.code += b"\x20" + unsigned(self._place(name))

    def set(self, name: str) -> None:
        self.code += b"\x21" + unsigned(self._place(name))

    def integer(self, value: int) -> None:
        self.code += b"\x41" + signed(value)

    def do(self, operator: str, *, offset: int = 0) -> None:
        """Adds an instruction; memory instructions add `offset` to the address."""
        if operator in _PLAIN:
            self.code.append(_PLAIN[operator])
            return
        self.code += bytes([_SIMD]) + unsigned(_VECTOR[operator])
        if operator in _MEMORY:
            self.code += b"\x00" + unsigned(offset)

    def load(self, operator: str, base: str, offset: int) -> None:
        """Adds a vector load from an address."""
        self.get(base)
        self.do(operator, offset=offset)

    def vector(self, content: bytes) -> None:
        self.code += bytes([_SIMD, 12]) + content

    def shuffle(self, lanes: Sequence[int]) -> None:
        """Adds a shuffle that selects 16 bytes of two vectors."""
        self.code += bytes([_SIMD, 13, *lanes])

    def store_half(self, offset: int = 0) -> None:
        """Adds a store of the first eight bytes of a vector."""
        self.code += bytes([_SIMD, 91, 0]) + unsigned(offset) + b"\x00"

    def advance(self, name: str, by: int) -> None:
        self.get(name)
        self.integer(by)
        self.do("i32.add")
        self.set(name)

    def begin_loop(self) -> None:
        self.code += bytes([0x03, _BLOCK_WITHOUT_RESULT])

    def end_loop_unless_positive(self, name: str) -> None:
        """Ends the loop, which repeats while the variable is above 0."""
        self.get(name)
        self.integer(0)
        self.do("i32.gt_s")
        self.code += b"\x0d\x00\x0b"

    def body(self) -> bytes:
        """Encodes the function for a module."""
        kinds = b"".join(b"\x01" + bytes([kind]) for kind in self.variables.values())
        content = unsigned(len(self.variables)) + kinds + bytes(self.code) + b"\x0b"
        return unsigned(len(content)) + content

    def _place(self, name: str) -> int:
        return [*self.parameters, *self.variables].index(name)


def module(functions: Sequence[Function], data: bytes) -> bytes:
    """Encodes a module that imports `page.memory`; data is stored at its start."""
    types = [
        bytes([_FUNCTION])
        + _vector([bytes([k]) for k in f.parameters.values()])
        + b"\0"
        for f in functions
    ]
    # At most 65,536 pages, which is all; flag 3 makes the memory shared.
    memory = _name("page") + _name("memory") + b"\x02\x03\x01" + unsigned(65536)
    exports = [
        _name(f.name) + b"\x00" + unsigned(number) for number, f in enumerate(functions)
    ]
    segment = b"\x00\x41\x00\x0b" + unsigned(len(data)) + data
    sections = (
        (1, _vector(types)),
        (2, _vector([memory])),
        (3, _vector([unsigned(number) for number in range(len(functions))])),
        (7, _vector(exports)),
        (10, _vector([f.body() for f in functions])),
        (11, _vector([segment])),
    )
    packed = (bytes([kind]) + unsigned(len(x)) + x for kind, x in sections)
    return b"\0asm" + struct.pack("<I", 1) + b"".join(packed)


def unsigned(value: int) -> bytes:
    """Encodes a non-negative integer as LEB128."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def signed(value: int) -> bytes:
    """Encodes an integer as signed LEB128."""
    found = bytearray()
    while not -64 <= value < 64:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value & 127])


def _vector(items: Sequence[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def _name(text: str) -> bytes:
    return unsigned(len(text)) + text.encode()
