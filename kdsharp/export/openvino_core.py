"""OpenVINO's core, of which a process has one."""

import functools
from typing import TYPE_CHECKING

from kdsharp.base import optional

if TYPE_CHECKING:
    import openvino


@functools.cache
def core() -> "openvino.Core":
    """The core that all networks of the process share.

    Cores that are released while the networks of another compute damage memory.
    """
    (openvino,) = optional.require("openvino", purpose="this backend")
    return openvino.Core()
