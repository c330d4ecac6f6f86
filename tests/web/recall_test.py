"""Networks with memory in the page: parity, order, and what they forget."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.export import network as networks
from kdsharp.models import memory
from kdsharp.runtime import planes
from kdsharp.web import build, build_extension
from tests.export import random_networks
from tests.web import node

_WIDTH, _HEIGHT = 50, 38
_PLAIN = dict(name="real_time", channels=1, width=8, depth=3, memory=True)
_NETWORKS = {
    "plain": _PLAIN,
    "context": dict(_PLAIN, context=4),
    "skip": dict(_PLAIN, depth=5, learned_slope=True, skip=True),
}

# In place of what runs networks: one that changes nothing.
_RUNTIME = node.runtime("return { restored: blurred };")

# Restores frames in order by one way, and each of them alone.
_FILM = """
fs.mkdirSync(`${site}/runtime`, { recursive: true });
fs.writeFileSync(`${site}/runtime/ort.wasm.min.mjs`, RUNTIME);
globalThis.self = globalThis;
const { ways } = await import(`${site}/camera/planes.js`);
const open = () => ways[WAY](network, WIDTH, HEIGHT, { threads: 1 });
const [film, alone] = [await open(), await open()];
const found = [[], []];
for (let at = 0; at < frames.length; at += WIDTH * HEIGHT) {
  alone.forget();
  for (const [n, plane] of [film, alone].entries()) {
    plane.input.set(frames.subarray(at, at + WIDTH * HEIGHT));
    const restored = await plane.run(LEVELS);
    for (let y = 0; y < HEIGHT; y++)
      found[n].push(restored.slice(y * plane.stride, y * plane.stride + WIDTH));
  }
}
save(found.flat());
"""

# Restores the same grey frames by `Frames`, with a change before the last one.
_FRAMES = """
const { Frames } = await import(`${site}/camera/frames.js`);
const restorer = new Frames(network, { by: "wasm", threads: 1 });
const size = 4 * WIDTH * HEIGHT;
const found = [];
for (let at = 0; at < frames.length; at += size) {
  if (at + size === frames.length) { CHANGE }
  const pixels = new Uint8ClampedArray(frames.subarray(at, at + size));
  await restorer.colours(pixels, WIDTH, HEIGHT);
  found.push(pixels);
}
save(found);
"""

# Sends grey frames to the extension's worker; those of `jumps` follow a jump.
_EXTENSION = """
globalThis.self = globalThis;
await import(`${site}/../engine-worker.js`);
let answer;
const port = { postMessage: (message) => answer(message) };
await self.onmessage({ ports: [port] });
const size = 4 * WIDTH * HEIGHT;
const found = [];
for (let at = 0; at < frames.length; at += size) {
  const pixels = new Uint8ClampedArray(frames.subarray(at, at + size));
  const jumped = JUMPS.includes(at / size);
  const done = new Promise((resolve) => (answer = resolve));
  port.onmessage({
    data: { pixels, width: WIDTH, height: HEIGHT, strength: 1, split: null, jumped } });
  found.push((await done).pixels);
}
save(found);
"""


def _film(count: int, seed: int = 0) -> list[np.ndarray]:
    """A drifting pattern under noise, so that frames differ a little."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    scene = 120 + 60 * np.sin(rows / 5 + seed) * np.cos(columns / 7)
    drift = [np.roll(scene, n // 2, axis=1) for n in range(count)]
    return [
        np.clip(frame + rng.normal(0, 3, frame.shape), 16, 235).astype(np.uint8)
        for frame in drift
    ]


def _grey(film: list[np.ndarray]) -> bytes:
    """RGBA pixels of luma planes."""
    opaque = np.full_like(film[0], 255)
    return b"".join(np.dstack([x, x, x, opaque]).tobytes() for x in film)


def _code(code: str, **values: object) -> str:
    values = {"WIDTH": _WIDTH, "HEIGHT": _HEIGHT, "RUNTIME": _RUNTIME, **values}
    for name, value in values.items():
        code = code.replace(name, json.dumps(value))
    return code


@absltest.skipIf(not node.CAN, node.WHY_NOT)
class RecallTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.sites = {}

    def _site(self, name: str) -> tuple[pathlib.Path, networks.TrainedNetwork]:
        """The site of a network, built once."""
        if name not in self.sites:
            folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
            path = random_networks.save(folder, _NETWORKS[name])
            build.write(folder / "site", [path], engine="server")
            self.sites[name] = folder / "site", networks.of_weights(path)
        return self.sites[name]

    def _played(self, site, film, way: str, levels: dict) -> np.ndarray:
        """The frames in order, and each of them alone."""
        code = _code(_FILM, WAY=way, LEVELS=levels)
        _, found = node.run(site, code, b"".join(frame.tobytes() for frame in film))
        shape = 2, len(film), _HEIGHT, _WIDTH
        return np.frombuffer(found, np.uint8).reshape(shape).astype(int)

    @parameterized.parameters(
        ("plain", "studio", 16, 219, 1.0),
        ("plain", "full", 0, 255, 0.6),
        ("context", "studio", 16, 219, 1.0),
        ("skip", "full", 0, 255, 1.0),
    )
    def test_a_film_with_a_cut_is_as_the_native_one(
        self, name, range_, black, span, strength
    ):
        site, network = self._site(name)
        film = [*_film(50), *_film(50, seed=2)]
        levels = {"black": black, "span": span, "strength": strength}
        played, alone = self._played(site, film, "kernel", levels)
        restore = planes.create(
            network, _WIDTH, _HEIGHT, range=range_, strength=strength
        )
        apart = [
            np.abs(sharp - restore(frame))
            for sharp, frame in zip(played, film, strict=True)
        ]
        self.assertLessEqual(np.max(apart), 2)
        self.assertLess(np.mean(apart), 0.4 * np.abs(played - alone).mean())
        for first in (0, 50):
            np.testing.assert_array_equal(played[first], alone[first])
            self.assertGreater(np.abs(played - alone)[first + 1].max(), 1)

    @parameterized.parameters((16, 219), (0, 255))
    def test_levels_are_drawn_towards_those_before(self, black, span):
        site, network = self._site("plain")
        film = _film(6)
        levels = {"black": black, "span": span, "strength": 1}
        played, alone = self._played(site, film, "wasm", levels)
        np.testing.assert_array_equal(alone, film)
        share = 1 / (1 + np.exp(-network.params["share"]))
        before = played[0]
        np.testing.assert_array_equal(before, film[0])
        for got, frame in zip(played[1:], film[1:], strict=True):
            apart = before - frame.astype(int)
            near = np.maximum(0, 1 - np.abs(apart) / (memory.REACH * span))
            np.testing.assert_allclose(got, frame + share * near * apart, atol=0.501)
            self.assertGreater(np.abs(got - frame).max(), 1)
            before = got

    @parameterized.named_parameters(
        ("without", "", False),
        ("forget", "restorer.forget();", True),
        ("strength", "restorer.strength = 0.5;", True),
        ("size", "await restorer.colours(new Uint8ClampedArray(64), 4, 4);", True),
    )
    def test_after_this_change_frames_start_anew(self, change, anew):
        site, _ = self._site("plain")
        film = _grey(_film(3))
        code = _code(_FRAMES).replace("CHANGE", change)
        _, found = node.run(site, code, film)
        size = len(film) // 3
        _, alone = node.run(site, code, film[-size:])
        self.assertEqual(found[-size:] == alone, anew)

    def test_what_a_split_leaves_alone_is_not_remembered(self):
        site, _ = self._site("plain")
        film = _grey(_film(4))
        code = _code(_FRAMES)
        _, whole = node.run(site, code.replace("CHANGE", ""), film)
        split = code.replace("CHANGE", "restorer.split = null;").replace(
            "const found", "restorer.split = 0.5; const found"
        )
        _, found = node.run(site, split, film)
        size = len(film) // 4
        self.assertNotEqual(found[:-size], whole[:-size])
        self.assertEqual(found[-size:], whole[-size:])

    def test_the_extension_starts_anew_after_a_jump(self):
        path = random_networks.save(self.folder, _PLAIN)
        out = self.folder / "extension"
        build_extension.run(out, model=path)
        film = _grey(_film(4))
        size = len(film) // 4
        (out / "package.json").write_text('{"type": "module"}')
        _, found = node.run(out / "page", _code(_EXTENSION, JUMPS=[2]), film)
        code = _code(_EXTENSION, JUMPS=[])
        _, before = node.run(out / "page", code, film[: 2 * size])
        _, after = node.run(out / "page", code, film[2 * size :])
        self.assertEqual(found, before + after)
        _, through = node.run(out / "page", code, film)
        self.assertNotEqual(found, through)

    def test_networks_without_memory_do_without(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        path = random_networks.save(folder, dict(_PLAIN, memory=False))
        (entry,) = build.write(folder / "site", [path], engine="server")
        self.assertIsNone(entry.memory)


if __name__ == "__main__":
    absltest.main()
