"""Runtimes that may be installed or not, and the extra that brings them."""

import importlib
import importlib.util
import sys
from types import ModuleType

from kdsharp.errors import UserError


def installed(*names: str) -> bool:
    """Returns whether all of these can be imported."""
    return all(importlib.util.find_spec(name) for name in names)


def need(*names: str) -> list[ModuleType]:
    """Returns these packages, or says which extra brings the one that is missing."""
    for name in names:
        if not installed(name):
            raise UserError(
                f"{name} is not installed: pip install 'kdsharp[onnx]' brings it"
            )
    # What tells the maker of OpenVINO of each use, unasked, and forks to do so;
    # without it OpenVINO is silent.
    sys.modules.setdefault("openvino_telemetry", None)
    return [importlib.import_module(name) for name in names]
