"""The command `kdsharp`: arguments become one call."""

import argparse
import os
import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from kdsharp import terminal
from kdsharp.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict

# Of what was left out, so much is named; `pictures.json` has the rest.
_NAMED = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    arguments = _parser().parse_args(argv)
    terminal.listen()
    try:
        arguments.call(arguments)
    except UserError as error:
        return terminal.fail(error, 2)
    except KeyboardInterrupt:
        return terminal.fail("interrupted", 130)
    except OSError as error:  # A full disk, a lost mount.
        return terminal.fail(
            f"{error}: what is done stays; mend that and run the same command again", 1
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kdsharp", description="Sharpens pictures, and trains what does so."
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    data = verbs.add_parser("data", help="prepare data sets and look at them")
    _add_data(data.add_subparsers(metavar="VERB", required=True))
    return parser


def _add_data(verbs: argparse._SubParsersAction) -> None:
    prepare = _add(
        verbs, "prepare", _prepare, "copy a data set into one that loads fast"
    )
    prepare.add_argument("name", metavar="NAME", help="celeba, helen or gopro")
    prepare.add_argument(
        "--from",
        dest="origin",
        metavar="DIR",
        required=True,
        help="the folder that holds it as its publisher gives it",
    )
    prepare.add_argument(
        "--processes",
        metavar="N",
        type=int,
        default=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        help="that check and copy pictures (default: %(default)s, one a core)",
    )
    info = _add(verbs, "info", _info, "say what is prepared, or what to get")
    info.add_argument("name", metavar="NAME", help="celeba, helen or gopro")
    for verb in (prepare, info):
        verb.add_argument(
            "--data-dir",
            metavar="D",
            help="where prepared data lie (default: $TFDS_DATA_DIR, or "
            "~/tensorflow_datasets)",
        )
    preview = _add(verbs, "preview", _preview, "show what training would see")
    preview.add_argument(
        "config",
        metavar="CONFIG",
        help="an experiment, such as configs/student.py:full",
    )
    preview.add_argument(
        "--out", metavar="FILE", required=True, help="the picture to write"
    )
    preview.add_argument(
        "--count", metavar="N", type=int, default=6, help="crops (default: 6)"
    )
    preview.add_argument("--source", help="instead of the config's, as folder:photos")
    preview.add_argument("--degradation", help="instead of the config's")


def _add(
    verbs: argparse._SubParsersAction,
    name: str,
    call: Callable[[argparse.Namespace], None],
    help_: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=help_, description=help_.capitalize() + ".")
    parser.set_defaults(call=call)
    return parser


# What the verbs need is imported when they run: `--help` waits for none of it.


def _prepare(arguments: argparse.Namespace) -> None:
    from kdsharp.data import prepared

    held = prepared.prepare(
        arguments.name,
        arguments.origin,
        data_dir=arguments.data_dir,
        processes=arguments.processes,
    )
    print(_summary(arguments.name, held))
    print(f"read it by  tfds:{arguments.name}")


def _info(arguments: argparse.Namespace) -> None:
    from kdsharp.data import builders, prepared

    builder = builders.load(arguments.name)
    held = prepared.contents(arguments.name, arguments.data_dir)
    print(_summary(arguments.name, held))
    print(f"homepage    {builder.HOMEPAGE}")
    print(f"licence     {builder.LICENCE}")


def _summary(name: str, held) -> str:
    """Returns what there is, and what is missing and why."""
    counts = Counter(split for split, _ in held.places.values())
    lines = [f"{name:11} {held.path}"]
    for split in dict.fromkeys([*counts, *held.left_out]):
        missing = held.left_out.get(split, [])
        words = f"{counts[split]:,} pictures"
        if missing:
            words += f", {len(missing):,} left out"
        lines.append(f"{split:11} {words}")
        lines += [f"{'':11} - {key}: {reason}" for key, reason in missing[:_NAMED]]
        if len(missing) > _NAMED:
            lines.append(f"{'':11} - and {len(missing) - _NAMED:,} more")
    if held.sizes:
        ((height, width), _), *others = Counter(held.sizes.values()).most_common()
        plural = "s" if len(others) > 1 else ""
        several = f", and {len(others):,} other size{plural}" if others else ""
        lines.append(f"{'size':11} {width}x{height}{several}")
    return "\n".join(lines)


def _preview(arguments: argparse.Namespace) -> None:
    out = pathlib.Path(arguments.out)
    _check_picture_name(out)
    if arguments.count < 1:
        raise UserError(f"--count is {arguments.count}: it must be at least 1.")
    config = load_config(arguments.config)
    from kdsharp.data import preview, sources

    source = sources.create(
        arguments.source or config.data.source, "train", seed=config.seed
    )
    if arguments.degradation:
        config.degradation = arguments.degradation
    rows = preview.rows(config, source, arguments.count)
    sheet = preview.sheet(rows, scale=preview.scale_of(config))
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".unfinished-{os.getpid()}-{out.name}")
    try:
        sheet.save(unfinished)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    print(out)


def _check_picture_name(path: pathlib.Path) -> None:
    from PIL import Image

    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise UserError(f"{path} is no name of a picture: let it end in .png.")


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
    import importlib.util

    if not path.is_file() or path.suffix != ".py":
        raise UserError(
            f"There is no experiment {path}: give one such as configs/student.py."
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
