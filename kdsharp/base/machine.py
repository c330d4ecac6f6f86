"""The name of the processor, and the peak memory of this process."""

import platform
import re
import sys
from pathlib import Path


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
