"""Early stopping on a validation metric."""

import dataclasses

from kdsharp.base import choices
from kdsharp.core import metrics


@dataclasses.dataclass
class Patience:
    """Counts evaluations without improvement; `patience` 0 never stops."""

    metric: str
    patience: int
    best: float | None = None
    best_step: int = 0
    stale: int = 0

    def __post_init__(self):
        if self.metric not in metrics.METRICS:
            raise choices.unknown("metric", self.metric, metrics.METRICS)

    def update(self, step: int, scores: dict[str, float]) -> bool:
        """Takes the scores of a step; returns whether they are the best so far."""
        score = scores[self.metric]
        sign = 1 if self.metric in metrics.MAXIMISED else -1
        better = self.best is None or sign * score > sign * self.best
        if better:
            self.best, self.best_step, self.stale = score, step, 0
        else:
            self.stale += 1
        return better

    @property
    def exhausted(self) -> bool:
        return 0 < self.patience <= self.stale

    def state_dict(self) -> dict:
        """The state to save in a checkpoint."""
        return {"best": self.best, "best_step": self.best_step, "stale": self.stale}

    def load_state_dict(self, state: dict) -> None:
        """Restores a state from `state_dict`."""
        self.best = state["best"]
        self.best_step, self.stale = state["best_step"], state["stale"]
