"""`kdsharp bench`: measures the speed of networks, prints and saves the results."""

import itertools
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from kdsharp.base import atomic_files, choices, machine
from kdsharp.errors import UserError
from kdsharp.evaluation.bench import backends, claims, operations, speed_report, timing
from kdsharp.evaluation.bench.backends import Settings, Subject
from kdsharp.evaluation.bench.worker import Contender
from kdsharp.evaluation.quality.restorers import row_name
from kdsharp.weights import store

logger = logging.getLogger(__name__)

_HEIGHTS = (360, 480, 720, 1080, 1440, 2160)
_SIZES = {f"{height}p": (round(height * 16 / 9), height) for height in _HEIGHTS}
_SIZES["480p"] = (854, 480)


def run(
    weights: Sequence[str],
    models: Mapping[str, dict] | None = None,
    *,
    sizes: Sequence[str] = ("720p",),
    batch: int = 1,
    threads: int = 0,
    device: str = "",
    dtypes: Sequence[str] = ("float32",),
    backends: Sequence[str] | None = None,
    pixels: str = "rgb",
    frames: int = 50,
    seconds: float = 30,
    out: Path | None = None,
) -> int:
    """Runs the benchmark and returns 0 only if every requested network was measured."""
    if backends and "all" in backends:
        backends = None
    _check(batch, frames, seconds, dtypes, backends, pixels, device)
    resolved = [resolution(size) for size in sizes]
    found, missing = _networks(weights, models or {})
    if out:
        out.mkdir(parents=True, exist_ok=True)
    timed = []
    texts = []
    for width, height in resolved:
        size, lost = _time(
            *(found, width, height, batch),
            *(threads, device, dtypes, backends, pixels, frames, seconds),
        )
        missing |= lost
        timed.append(size)
        said = [
            speed_report.heading(size, Settings(threads)),
            "",
            speed_report.table(size),
            "",
        ]
        texts.append("\n".join([*said, *size.claims]))
        print(texts[-1], end="\n\n", flush=True)
    here = _machine()
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    if out:
        written = speed_report.as_json(timed, Settings(threads, device=device), here)
        atomic_files.write_text(out / "speed.json", written)
        atomic_files.write_text(
            out / "speed.md", "\n\n".join(["# Speed", *texts]) + "\n"
        )
        print(out / "speed.md", out / "speed.json", sep="\n")
    for name, reason in missing.items():
        logger.error("not measured: %s: %s", name, reason)
    return 1 if missing else 0


def resolution(name: str) -> tuple[int, int]:
    """Converts a size such as `720p` or `640x360` to (width, height)."""
    if name in _SIZES:
        return _SIZES[name]
    if match := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", name):
        return int(match[1]), int(match[2])
    raise UserError(
        f"unknown size {name!r}; choose one of: {', '.join(_SIZES)}, or WIDTHxHEIGHT"
    )


def _check(batch, frames, seconds, dtypes, names, pixels, device) -> None:
    for option, value in (("--batch", batch), ("--frames", frames)):
        if value < 1:
            raise UserError(f"{option} must be at least 1, not {value}")
    if not seconds > 0:
        raise UserError(f"--seconds must be greater than 0, not {seconds}")
    for dtype in dtypes:
        if dtype not in backends.DTYPES:
            raise choices.unknown("dtype", dtype, backends.DTYPES)
    if device and device not in backends.DEVICES:
        raise choices.unknown("device", device, backends.DEVICES)
    if pixels not in backends.PIXELS:
        raise choices.unknown("pixels", pixels, backends.PIXELS)
    for name in names or ():
        backends.check(name)


def _networks(
    weights: Sequence[str], models: Mapping[str, dict]
) -> tuple[dict[str, tuple[Subject, dict]], dict[str, str]]:
    """Resolves names to subjects with their model arguments; also returns failures."""
    if not weights and not models:
        raise UserError("nothing to measure: give --weights or --config")
    found, failed = {}, {}
    for name, model in models.items():
        found[name] = Subject(name, model=model)
    for given in weights:
        try:
            name = row_name(given, store.load(given).card)
        except UserError as error:
            failed[given] = str(error)
        else:
            name = given if name in found else name
            found[name] = Subject(name, weights=given)
    if not found:
        raise UserError("; ".join(failed.values()))
    return {
        name: (subject, backends.network(subject)[2]) for name, subject in found.items()
    }, failed


def _time(
    found,
    width,
    height,
    batch,
    threads,
    device,
    dtypes,
    names,
    pixels,
    frames,
    seconds,
) -> tuple[speed_report.Size, dict[str, str]]:
    contenders, lost = {}, {}
    for network, (subject, arguments) in found.items():
        # Only luma networks can take planes.
        seen = pixels if arguments.get("channels", 3) == 1 else "rgb"
        for backend, dtype in itertools.product(names or backends.BACKENDS, dtypes):
            entry = backends.BACKENDS[backend]
            settings = Settings(threads, dtype, seen, device)
            reason = entry.refuses(arguments, settings)
            if dtype not in entry.dtypes:
                reason = f"it does not compute in {dtype}"
            if not reason and entry.installed:
                reason = backends.lacks(backend, device)
            if reason and names:
                lost[f"{network} by {backend}"] = reason
            if reason or not entry.installed:
                continue
            contenders[network, backend, dtype] = Contender(
                backend, subject, settings, batch, height, width
            )
    if not contenders and not lost:
        raise UserError(f"no backend here has the device {device!r}")
    if not contenders:
        raise UserError("; ".join(lost.values()))
    timed, failed, peak = timing.measure(contenders, frames=frames, seconds=seconds)
    lost |= {
        name if isinstance(name, str) else " by ".join(name[:2]) + f" in {name[2]}": why
        for name, why in failed.items()
    }
    costs = {
        network: operations.per_frame(arguments, height, width)
        for network, (_, arguments) in found.items()
    }
    rows = [
        speed_report.SpeedRow(network, backend, dtype, times, costs[network])
        for (network, backend, dtype), times in timed.items()
    ]
    claimed = claims.describe(height, width, peak)
    return speed_report.Size(width, height, batch, rows, peak, claimed), lost


def _machine() -> dict[str, str]:
    """Describes the machine: processor, cores, device, JAX version, load."""
    found = {
        "processor": machine.processor(),
        "cores": str(os.cpu_count()),
        "device": jax.devices()[0].device_kind,
        "JAX": jax.__version__,
    }
    if hasattr(os, "getloadavg"):
        # A load above the number of cores means that the machine was busy.
        found["load of the last minute"] = f"{os.getloadavg()[0]:.1f}"
    return found
