"""The interface of timed backends, and the networks that all of them can run."""

from collections.abc import Callable

import numpy as np

Frames = np.ndarray
"""uint8 `[batch, height, width, 3]`, or `[batch, height, width]` for planes."""

Run = Callable[[Frames], Frames]

# Chains of 3x3 convolutions with ReLU, and whether they predict the residual.
CHAINS = {"dncnn": True, "light_cnn": True, "plain_cnn": False, "real_time": True}
