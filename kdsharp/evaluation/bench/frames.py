"""What every backend that is timed takes and gives, and the networks all can run."""

from collections.abc import Callable

import numpy as np

Frames = np.ndarray
"""uint8 `[batch, height, width, 3]`, of planes `[batch, height, width]`."""

Run = Callable[[Frames], Frames]

# Networks that are 3x3 convolutions, ReLU between, and whether they add to their input.
CHAINS = {"dncnn": True, "light_cnn": True, "plain_cnn": False, "real_time": True}
