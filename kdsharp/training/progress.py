"""What a run tells of itself while it trains: a bar, lines, and its metrics' files."""

import logging
from pathlib import Path

from ml_collections import ConfigDict
from tqdm import tqdm

from kdsharp.training import hosts, writers
from kdsharp.training.logs import MetricsLog

logger = logging.getLogger(__name__)


class Progress:
    """Tells of steps after `step`, of `steps` in all where that is known.

    Of several hosts the first one tells.
    """

    def __init__(self, config: ConfigDict, workdir: Path, step: int, steps: int | None):
        self._steps = steps
        if hosts.is_first():
            others = writers.create(config.writers, workdir, step, config.to_dict())
            self._log = MetricsLog(workdir, step, others)
        self._bar = tqdm(
            total=steps,
            initial=step,
            unit="step",
            disable=None if hosts.is_first() else True,
            leave=False,
        )

    def advance(self, steps: int) -> None:
        """Moves the bar."""
        self._bar.update(steps)

    def tell_means(self, step: int, values: dict[str, float], left: str) -> None:
        """Writes the means of the steps since the last time."""
        if not hosts.is_first():
            return
        self._log.write(step, values)
        words = (
            f"loss {values['train/loss']:.3g}, "
            f"{values['time/images_per_second']:.1f} images/s, {left} left"
        )
        self._bar.set_postfix_str(words)
        if self._bar.disable:
            logger.info("%s: %s", self._name(step), words)

    def tell_scores(self, step: int, scores: dict[str, float], no_gain: bool) -> None:
        """Writes the scores of an evaluation."""
        if not hosts.is_first():
            return
        self._log.write(step, {f"valid/{name}": v for name, v in scores.items()})
        logger.info(
            "%s: validation PSNR %.2f dB, %+.2f over the input, SSIM %.4f",
            self._name(step),
            scores["psnr"],
            scores["gain"],
            scores["ssim"],
        )
        if no_gain:
            logger.warning(
                "step %d: the network does no better than to return its input", step
            )

    def tell_rate(self, step: int, scale: float) -> None:
        """Says that the learning rate is lower from now on."""
        logger.info(
            "%s: the learning rate is lowered to %g of what it was first",
            self._name(step),
            scale,
        )

    def close(self) -> None:
        if hosts.is_first():
            self._log.close()
        self._bar.close()

    def _name(self, step: int) -> str:
        return f"step {step}" + (f"/{self._steps}" if self._steps else "")
