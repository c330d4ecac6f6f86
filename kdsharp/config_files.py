"""Loads configs: Python files, whose values flags may override.

Errors in a file are reported in one sentence with their line.
"""

import contextlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kdsharp import config_checks
from kdsharp.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_FOLDER = "configs"
# Files that only serve as a base of configs.
_BASES = ("base", "common")
_CLONE = Path(__file__).parents[1]
# Overrides may add loss terms; all other entries must exist.
_EXTENSIBLE = "objective."


def load_experiment(spec: str, overrides: Sequence[str] = ()) -> "ConfigDict":
    """Loads and checks the config `PATH[:VARIANT]`, or `NAME` in a clone's configs/.

    `overrides` are flags, such as `--config.batch_size=32`.
    """
    config = override(load_config(spec), overrides) if overrides else load_config(spec)
    config_checks.check(config)
    return config


def load_config(spec: str) -> "ConfigDict":
    """Runs `get_config()` of an experiment or ablation, without checking the result."""
    path, variant = find(spec)
    with _importable_configs(path):
        try:
            config = _get_config(path, variant)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        except Exception as error:  # Configs can contain any code.
            raise UserError(_locate(error, path)) from error
    return config


def override(config: "ConfigDict", arguments: Sequence[str]) -> "ConfigDict":
    """Applies flags such as `--config.data.workers=4` to a config."""
    from absl import flags
    from ml_collections import config_flags

    values, argv = flags.FlagValues(), ["", *arguments]
    values.set_gnu_getopt()
    known = config.copy_and_resolve_references()
    try:
        config_flags.DEFINE_config_dict(
            "config",
            config,
            flag_values=values,
            lock_config=False,
            accept_new_attributes=True,
            sys_argv=argv,
        )
        strays = values(argv)[1:]
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(_summarise(error)) from error
    if strays:
        raise UserError(f"{strays[0]!r} is not a flag")
    flag: Any = values["config"]
    for name in config_flags.get_override_values(flag):
        holder, _, entry = name.rpartition(".")
        group = known
        for part in holder.split(".") if holder else ():
            group = group.get(part, {})
        if entry not in group and not name.startswith(_EXTENSIBLE):
            raise UserError(config_checks.unknown(name, known))
    return flag.value


def find(spec: str) -> tuple[Path, str | None]:
    """Finds the file of a spec; returns it with the variant."""
    if match := re.fullmatch(r"(.+\.py)(?::(.*))?", spec):
        path = Path(match[1]).expanduser()
        if not path.is_file():
            raise UserError(
                f"there is no config {path}; give one such as configs/student.py"
            )
        return path, match[2]
    name, colon, variant = spec.partition(":")
    return _find_by_name(name), variant if colon else None


def _find_by_name(name: str) -> Path:
    """Finds a config by name in the current clone, or in that of this package."""
    known = {}
    for root in (_CLONE, Path()):
        if _has_base(root):
            files = sorted((root / _FOLDER).rglob("*.py"))
            known |= {
                path.relative_to(root / _FOLDER).with_suffix("").as_posix(): path
                for path in files
                if path.stem not in _BASES
            }
    matches = [known[name]] if name in known else []
    matches = matches or [p for key, p in known.items() if key.split("/")[-1] == name]
    if len(matches) == 1:
        return matches[0]
    if not known:
        raise UserError(f"there is no config {name!r}; give the path of its .py file")
    raise UserError(
        f"unknown config {name!r}; give the path of a .py file, or choose one of: "
        f"{', '.join(known)}"
    )


@contextlib.contextmanager
def _importable_configs(path: Path) -> Iterator[None]:
    """Makes `configs` importable, from the config's own clone or from kdsharp's.

    Other modules of that name are hidden within the block.
    """
    above = [*path.absolute().parents, _CLONE]
    folders = [root / _FOLDER for root in above if _has_base(root)]
    hidden = _pop_modules()
    if folders:
        package = sys.modules[_FOLDER] = ModuleType(_FOLDER)
        package.__path__ = [str(folders[0])]
    try:
        yield
    finally:
        _pop_modules()
        sys.modules.update(hidden)


def _has_base(root: Path) -> bool:
    return (root / _FOLDER / "base.py").is_file()


def _pop_modules() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == _FOLDER]
    return {name: sys.modules.pop(name) for name in names}


def _get_config(path: Path, variant: str | None) -> "ConfigDict":
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    get_config = getattr(module, "get_config", None)
    if get_config is None:
        raise UserError("this is not a config, since it has no get_config()")
    arguments = () if variant is None else (variant,)
    if arguments and not inspect.signature(get_config).parameters:
        raise UserError(f"it has no variants; leave out ':{variant}'")
    config = get_config(*arguments)
    from ml_collections import ConfigDict

    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise UserError(f"get_config() must return a ConfigDict, not a {kind}")
    return config


def _locate(error: Exception, path: Path) -> str:
    """The message for an error inside a config, with file and line."""
    place, line = str(path), None
    if isinstance(error, SyntaxError):
        place, line, message = error.filename or place, error.lineno, error.msg
    else:
        message = " ".join(str(error).split())
        ours = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(path) or _FOLDER in Path(frame.filename).parts
        ]
        if ours:
            place, line = ours[-1].filename, ours[-1].lineno
    where = f"{place}, line {line}" if line else place
    return f"{where}: {type(error).__name__}" + (f": {message}" if message else "")


def _summarise(error: Exception) -> str:
    """The relevant line of a flag's error message."""
    if isinstance(error, AttributeError | KeyError):
        name = str(error).strip("\"'")
        return f"the config has no entry {name!r}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition("] ")[2] or lines[-1]
