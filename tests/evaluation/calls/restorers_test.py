"""Restoring a clip does not depend on earlier clips."""

from pathlib import Path

import numpy as np
import skimage.data
from absl.testing import absltest
from PIL import Image, ImageFilter

from kdsharp.data.clips import codecs
from kdsharp.evaluation.calls import restorers
from tests.export import random_networks

_SIZE = (160, 96)
_WITH_CONTEXT = dict(name="real_time", channels=1, width=8, context=8)


def _clip(picture: Image.Image) -> list:
    """Converts a picture to video frames."""
    stream = codecs.encode(
        [np.asarray(picture)] * 3, "h264", codecs.Rate(quantizer=0.0), size=_SIZE
    )
    frames = codecs.decode(stream)
    return [frames[number] for number in sorted(frames)]


class NetworkTest(absltest.TestCase):
    def test_state_is_reset_between_clips(self):
        given = random_networks.save(
            Path(self.create_tempdir().full_path), _WITH_CONTEXT
        )
        sharp = Image.fromarray(skimage.data.coffee()[100:196, 100:260])
        # The same scene, so that the network resets only because of the new clip.
        soft = sharp.filter(ImageFilter.GaussianBlur(2))

        def network():
            return restorers.NetworkRestorer(given, backend="jax", dtype="float32")

        used = network()
        first = list(used(_clip(sharp)))
        again = list(used(_clip(soft)))
        alone = list(network()(_clip(soft)))
        np.testing.assert_array_equal(again, alone)
        self.assertFalse(np.array_equal(first, alone))


if __name__ == "__main__":
    absltest.main()
