"""Progress reports of a run: a progress bar, log messages, and metrics files."""

import logging
from pathlib import Path

from ml_collections import ConfigDict
from tqdm import tqdm

from kdsharp.training import hosts, writers
from kdsharp.training.logs import MetricsLog

logger = logging.getLogger(__name__)


class Progress:
    """Reports the progress of a run from `step` on; silent but on the primary host.

    `steps` is the total number, or None if the run ends by time.
    """

    def __init__(self, config: ConfigDict, workdir: Path, step: int, steps: int | None):
        self._steps = steps
        if hosts.is_primary():
            others = writers.create(config.writers, workdir, step, config.to_dict())
            self._log = MetricsLog(workdir, step, others)
        self._bar = tqdm(
            total=steps,
            initial=step,
            unit="step",
            disable=None if hosts.is_primary() else True,
            leave=False,
        )

    def advance(self, steps: int) -> None:
        """Advances the progress bar."""
        self._bar.update(steps)

    def write_means(self, step: int, values: dict[str, float], left: str) -> None:
        """Writes mean metrics, and shows loss, speed and remaining time."""
        if not hosts.is_primary():
            return
        self._log.write(step, values)
        words = (
            f"loss {values['train/loss']:.3g}, "
            f"{values['time/images_per_second']:.1f} images/s, {left} left"
        )
        self._bar.set_postfix_str(words)
        if self._bar.disable:
            logger.info("%s: %s", self._name(step), words)

    def write_scores(self, step: int, scores: dict[str, float], no_gain: bool) -> None:
        """Writes and logs the scores of an evaluation; warns if there is no gain."""
        if not hosts.is_primary():
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
            logger.warning("step %d: the network is no better than its input", step)

    def write_rate(self, step: int, scale: float) -> None:
        """Logs that the learning rate was lowered."""
        logger.info(
            "%s: learning rate lowered to %g of its initial value",
            self._name(step),
            scale,
        )

    def close(self) -> None:
        if hosts.is_primary():
            self._log.close()
        self._bar.close()

    def _name(self, step: int) -> str:
        return f"step {step}" + (f"/{self._steps}" if self._steps else "")
