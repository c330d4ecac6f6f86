"""The processor, and the memory that this process took."""

import platform
import re
import sys
from pathlib import Path


def processor() -> str:
    """The processor's name as its maker gives it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists() and (named := re.search(r"model name\s*: (.*)", info.read_text())):
        return named[1]
    return platform.processor() or platform.machine()


def peak_memory() -> float:
    """The most memory that this process held so far, in bytes; 0 where unknown."""
    status = Path("/proc/self/status")
    # Linux counts the parent's memory at the start in `ru_maxrss`; not in this.
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+)", status.read_text())):
        return 1024.0 * int(found[1])
    try:
        import resource
    except ImportError:  # Windows.
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
