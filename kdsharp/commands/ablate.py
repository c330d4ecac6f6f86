"""`kdsharp ablate`: compares training methods on one student."""

from pathlib import Path

from kdsharp import ablation, experiment
from kdsharp.errors import UserError


def run(
    config: str,
    out: Path,
    *,
    source: str | None,
    methods: str | None,
    seeds: int | None,
    steps: int | None,
) -> None:
    """Runs the ablation and prints its table."""
    for name, value in (("seeds", seeds), ("steps", steps)):
        if value is not None and value < 1:
            raise UserError(f"--{name} must be at least 1, not {value}")
    spec, base = ablation.load(config)
    if seeds:
        spec.seeds = tuple(range(seeds))
    if steps:
        spec.steps = steps
    if methods:
        ablation.choose(spec, [name.strip() for name in methods.split(",")])
    if source:
        base.data.source = source
    experiment.set_up(base)
    print(ablation.run(spec, base, out))
    print(f"\ntable     {out / 'ablation.md'}")
    if (out / "ablation.png").exists():
        print(f"plot      {out / 'ablation.png'}")
