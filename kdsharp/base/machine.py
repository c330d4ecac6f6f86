"""The name of the processor, and the memory of this process."""

import ctypes
import platform
import re
import sys
from pathlib import Path

# glibc's malloc.h, and the size from which an allocation is mapped on its own.
_M_MMAP_THRESHOLD, _MAPPED = -3, 1 << 20


def processor() -> str:
    """The processor's model name, or its architecture if the name is unknown."""
    info = Path("/proc/cpuinfo")
    if info.exists() and (named := re.search(r"model name\s*: (.*)", info.read_text())):
        return named[1]
    return platform.processor() or platform.machine()


def peak_memory() -> float:
    """Peak resident memory of this process in bytes; 0 if unknown."""
    status = Path("/proc/self/status")
    # On Linux `ru_maxrss` starts at the parent's memory; VmHWM does not.
    if status.exists() and (match := re.search(r"VmHWM:\s*(\d+)", status.read_text())):
        return 1024.0 * int(match[1])
    try:
        import resource
    except ImportError:  # Windows.
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def return_freed_memory() -> None:
    """Lets glibc give large buffers back to the system as soon as they are freed.

    By default it raises the size from which it does so to that of the largest buffer
    freed so far, up to 32 MB; what is smaller stays, and in pieces.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MAPPED)
