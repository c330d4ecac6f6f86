"""Networks with memory on planes of video: parity, order, and what they forget."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.export import levels
from kdsharp.models import memory
from kdsharp.runtime import backends, planes
from kdsharp.runtime.recall import Recall
from tests.export import random_networks
from tests.models import fast

_MODEL = dict(name="real_time", channels=1, width=6, memory=True)
_SIZE = (50, 38)
_INSTALLED = [name for name, entry in backends.BACKENDS.items() if entry.installed]


def _film(count: int, seed: int = 0) -> list[np.ndarray]:
    """A drifting gradient under noise, so that frames differ a little."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: _SIZE[1], : _SIZE[0]]
    scene = 120 + 60 * np.sin(rows / 5 + seed) * np.cos(columns / 7)
    drift = [np.roll(scene, n // 2, axis=1) for n in range(count)]
    return [
        np.clip(frame + rng.normal(0, 3, frame.shape), 16, 235).astype(np.uint8)
        for frame in drift
    ]


def _by_numpy(network, frames, *, strength: float = 1.0) -> list[np.ndarray]:
    """Restores studio-range planes in order; what is remembered is rounded."""
    apply = fast.jit(network.model.apply)
    share = 1 / (1 + np.exp(-network.params["share"]))
    restored = []
    for frame in frames:
        x = (frame[None, ..., None].astype(np.float32) - 16) / 219
        sharp = x + strength * np.asarray(apply(network.variables, x))
        sharp = sharp[0, ..., 0] * 219 + 16
        if restored:
            apart = np.round(restored[-1]) - sharp
            near = np.maximum(0, 1 - np.abs(apart) / (219 * memory.REACH))
            sharp += share * near * apart
        restored.append(np.clip(sharp, 0, 255))
    return restored


def _restart(restore: planes.PlaneRestorer, frame: np.ndarray) -> np.ndarray:
    """Restores a frame as the first of a sequence."""
    restore.start_sequence()
    return restore(frame)


class RecallTest(parameterized.TestCase):
    @parameterized.product(backend=_INSTALLED, strength=(1.0, 0.5))
    def test_a_film_is_as_by_numpy(self, backend, strength):
        network = random_networks.create(_MODEL)
        restore = planes.create(network, *_SIZE, backend=backend, strength=strength)
        frames = _film(12)
        wanted = _by_numpy(network, frames, strength=strength)
        got = [restore(frame) for frame in frames]
        for one, other in zip(got, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=0.52)
        alone = planes.create(network, *_SIZE, backend=backend, strength=strength)
        without = []
        for frame in frames:
            alone.start_sequence()
            without.append(alone(frame))
        np.testing.assert_array_equal(got[0], without[0])
        apart = np.abs(np.subtract(got[1:], without[1:], dtype=int))
        self.assertGreater(apart.max(), 1)

    @parameterized.product(
        backend=[name for name in _INSTALLED if name != "jax"], context=(0, 4)
    )
    def test_a_hundred_frames_agree_between_backends(self, backend, context):
        network = random_networks.create(_MODEL | {"context": context})
        ours, jax = (
            planes.create(network, *_SIZE, backend=name) for name in (backend, "jax")
        )
        for frame in _film(100):
            np.testing.assert_allclose(ours(frame), jax(frame), atol=2)

    def test_int8_follows_float32(self):
        if "openvino" not in _INSTALLED:
            self.skipTest("openvino is not installed")
        network = random_networks.create(_MODEL)
        full, reduced = (
            planes.create(network, *_SIZE, backend="openvino", dtype=dtype)
            for dtype in ("float32", "int8")
        )
        apart = [
            np.abs(np.subtract(full(frame), reduced(frame), dtype=int)).mean()
            for frame in _film(12)
        ]
        self.assertLess(max(apart), 1.5)

    def test_planes_started_together_wait_for_those_before(self):
        network = random_networks.create(_MODEL)
        alone = planes.create(network, *_SIZE)
        together = planes.create(network, *_SIZE, parallel=3)
        frames, wanted, started = _film(8), [], []
        for number, frame in enumerate(frames):
            if number == 4:
                alone.start_sequence()
                together.start_sequence()
            wanted.append(alone(frame))
            started.append(together.start(frame))
        for wait, other in zip(started, wanted, strict=True):
            np.testing.assert_array_equal(wait(), other)

    @parameterized.parameters("cut", "flash", "start_sequence")
    def test_a_new_scene_is_restored_as_if_it_were_the_first(self, kind):
        network = random_networks.create(_MODEL)
        restore, alone = (planes.create(network, *_SIZE) for _ in range(2))
        first, second = _film(5), _film(5, seed=2)
        if kind == "flash":
            second = [np.minimum(frame, 155) + np.uint8(80) for frame in first]
        for frame in first:
            restore(frame)
        if kind == "start_sequence":
            restore.start_sequence()
            second = first[-1:]
        for frame in second:
            np.testing.assert_array_equal(restore(frame), alone(frame))

    @parameterized.parameters("float32", "bfloat16", "int8")
    def test_ten_thousand_frames_neither_drift_nor_blow_up(self, dtype):
        if "openvino" not in _INSTALLED:
            self.skipTest("openvino is not installed")
        network = random_networks.create(_MODEL)
        restore, alone = (
            planes.create(network, *_SIZE, backend="openvino", dtype=dtype)
            for _ in range(2)
        )
        rng = np.random.default_rng(0)
        scene = _film(1)[0]
        stirred = [
            np.clip(scene + rng.normal(0, 2, scene.shape), 16, 235).astype(np.uint8)
            for _ in range(100)
        ]
        wanted = np.mean([_restart(alone, frame) for frame in stirred], axis=0)
        for _ in range(99):
            for frame in stirred:
                restore(frame)
        last = [restore(frame).astype(float) for frame in stirred]
        # What is remembered evens out, but keeps the mean and its place.
        np.testing.assert_allclose(np.mean(last), wanted.mean(), atol=0.5)
        self.assertLess(np.abs(np.mean(last, axis=0) - wanted).max(), 6)

    @parameterized.parameters(5, 25)
    def test_a_fade_leaves_nothing_of_the_first_scene(self, length):
        network = random_networks.create(_MODEL)
        restore, alone = (planes.create(network, *_SIZE) for _ in range(2))
        first, second = _film(1)[0], _film(1, seed=2)[0]
        for share in np.linspace(0, 1, length):
            restore(np.uint8(np.round((1 - share) * first + share * second)))
        # It takes some frames to forget, and no more.
        for _ in range(10):
            last = restore(second)
        apart = np.abs(np.subtract(last, _restart(alone, second), dtype=int))
        self.assertLessEqual(apart.max(), 1)

    def test_the_plane_may_be_overwritten(self):
        network = random_networks.create(_MODEL)
        restore, other = (planes.create(network, *_SIZE) for _ in range(2))
        for frame in _film(4):
            wanted = other(frame)
            np.testing.assert_array_equal(restore(frame, frame), wanted)

    def test_a_run_that_fails_leaves_nothing_to_remember(self):
        given = []

        def run(plane, out, recalled, keep):
            given.append((recalled.copy(), float(keep[0])))
            if len(given) == 2:
                raise MemoryError
            return plane + np.uint8(1)

        recall = Recall(run, levels.of_video(8, "studio"))
        frames = _film(4)
        recall(frames[0])
        with self.assertRaises(MemoryError):
            recall(frames[1])
        recall(frames[2])
        recall(frames[3])
        self.assertEqual([keep for _, keep in given], [0, 1, 0, 1])
        for number in (1, 3):
            np.testing.assert_array_equal(given[number][0], frames[number - 1] + 1)


if __name__ == "__main__":
    absltest.main()
