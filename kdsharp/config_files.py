"""Reads an experiment from the file that a person names."""

import importlib.util
import pathlib
from types import ModuleType
from typing import TYPE_CHECKING

from kdsharp.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict


def load_config(spec: str) -> "ConfigDict":
    """Returns the experiment that `PATH` or `PATH:VARIANT` names."""
    path, colon, variant = spec.partition(":")
    module = _run_file(pathlib.Path(path))
    try:
        return module.get_config(*([variant] if colon else []))
    except AttributeError as error:
        raise UserError(
            f"{path} is no experiment, having no get_config(): give one such as "
            "configs/student.py."
        ) from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def _run_file(path: pathlib.Path) -> ModuleType:
    if not path.is_file() or path.suffix != ".py":
        raise UserError(
            f"There is no experiment {path}: give one such as configs/student.py."
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
