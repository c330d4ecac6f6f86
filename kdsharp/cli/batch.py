"""`kdsharp batch`: sharpens millions of pictures, on one machine or a cluster."""

import argparse
import logging

from kdsharp.cli import options
from kdsharp.cli.verbs import Verbs, add_verb
from kdsharp.errors import UserError


def add(verbs: Verbs) -> None:
    """Adds `kdsharp batch`."""
    verb = add_verb(
        verbs, "batch", _batch, "sharpen millions of pictures with Apache Beam"
    )
    verb.add_argument(
        "glob",
        metavar="IN_GLOB",
        help="a file pattern, such as 'in/**/*.jpg' or gs://...",
    )
    verb.add_argument(
        "out",
        metavar="OUT",
        help="the output folder; pictures already written there are skipped",
    )
    verb.add_argument(
        "--runner",
        metavar="R",
        default="DirectRunner",
        help="DirectRunner (the default: this machine), FlinkRunner, SparkRunner, "
        "DataflowRunner",
    )
    verb.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=1,
        help="worker processes of DirectRunner (default: %(default)s)",
    )
    options.add_model(verb)
    options.add_strength(verb)
    options.add_unsharp(verb)
    options.add_megapixels(verb)
    verb.add_argument(
        "options",
        nargs="*",
        metavar="-- BEAM_OPTION",
        help="options passed on to Beam, such as --flink_master=HOST:8081",
    )


def _batch(arguments: argparse.Namespace) -> int:
    from kdsharp.base import optional

    optional.require("onnx", "onnxruntime", purpose="kdsharp batch", extra="batch")
    if not optional.installed("apache_beam"):
        raise optional.missing("apache_beam", purpose="kdsharp batch")
    if arguments.workers < 1:
        raise UserError(f"--workers must be at least 1, not {arguments.workers}")
    # On import, Beam warns about cloud packages that are not needed here.
    logging.disable(logging.WARNING)
    from kdsharp.commands import batch
    from kdsharp.runtime.options import RestoreOptions

    logging.disable(logging.NOTSET)
    return batch.run(
        arguments.glob,
        arguments.out,
        options=RestoreOptions(
            model=arguments.model,
            strength=arguments.strength,
            unsharp=arguments.unsharp,
        ),
        runner=arguments.runner,
        workers=arguments.workers,
        megapixels=arguments.megapixels,
        beam_options=arguments.options,
    )
