"""The page's gains and its own WebAssembly, run by Node.js as a browser would."""

import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.data import dead_leaves
from kdsharp.export import gains, levels
from kdsharp.export import network as networks
from kdsharp.runtime import planes
from kdsharp.runtime.gain_tracker import GainTracker
from kdsharp.web import build
from tests.export import random_networks
from tests.web import node

_DEEP = dict(
    name="real_time",
    channels=1,
    width=24,
    depth=5,
    skip=True,
    learned_slope=True,
    context=8,
)
_PLAIN = dict(name="real_time", channels=1, width=8, depth=3, context=4)

_GAINS = """
const { open } = await import(`${site}/engine/context.js`);
const { lines } = await import(`${site}/engine/pixels.js`);
const context = await open(network.context);
const found = [];
for (const [width, height, at] of SIZES) {
  const pixels = new Uint8ClampedArray(frames.subarray(at, at + 4 * width * height));
  const picture = { width, height, pixels, covered: pixels };
  found.push([...context.gains(width, height, lines(picture))]);
}
console.log(JSON.stringify(found));
"""

# In place of what runs networks: what was it given?
_RUNTIME = node.runtime("""
globalThis.seen.push([gains.dims, [...gains.data]]);
return { restored: blurred };
""")

_TILES = """
globalThis.seen = [];
globalThis.self = globalThis;
const done = new Promise((resolve) => {
  self.postMessage = (message) => {
    if (message.failed) throw new Error(message.failed.message);
    if (message.done?.sharp) resolve();
  };
});
fs.mkdirSync(`${site}/runtime`, { recursive: true });
fs.writeFileSync(`${site}/runtime/ort.wasm.min.mjs`, RUNTIME);
await import(`${site}/engine/worker.js`);
const ask = (data) => self.onmessage({ data });
const picture = { width: WIDTH, height: HEIGHT, pixels: new Uint8ClampedArray(frames) };
await ask({ id: 1, task: "begin", capabilities: { by: "wasm", threads: 1 } });
await ask({ id: 2, task: "picture", picture });
await ask({ id: 3, task: "restore", network, strength: 1 });
await done;
console.log(JSON.stringify(seen));
"""

_PLANES = """
const { ways, FULL } = await import(`${site}/camera/planes.js`);
const plane = await ways.kernel(network, WIDTH, HEIGHT, { threads: 1 });
const found = [];
const size = WIDTH * HEIGHT;
for (let at = 0; at < frames.length; at += size) {
  plane.input.set(frames.subarray(at, at + size));
  const restored = await plane.run({ ...FULL, strength: 1 });
  for (let y = 0; y < HEIGHT; y++)
    found.push(restored.slice(y * plane.stride, y * plane.stride + WIDTH));
}
save(found);
"""


@absltest.skipIf(not node.CAN, node.WHY_NOT)
class ContextTest(parameterized.TestCase):
    def _run(self, arguments: dict, code: str, frames: bytes):
        """Runs code in Node.js; returns (network, output, resulting file)."""
        folder = pathlib.Path(self.create_tempdir().full_path)
        path = random_networks.save(folder, arguments)
        site = folder / "site"
        build.write(site, [path], engine="server")
        told, found = node.run(site, code, frames)
        return networks.of_weights(path), told, found

    def test_gains_match_numpy(self):
        picture = dead_leaves.render(2, size=128, seed=6)
        alpha = np.full((128, 128), 255, np.uint8)
        alpha[:40, 30:] = 0
        whole = np.dstack([picture, alpha])
        parts = [whole, whole[5:16, 9:60], whole[:1, :1], whole[:30, 40:90]]
        sizes, at = [], 0
        for part in parts:
            sizes.append([part.shape[1], part.shape[0], at])
            at += part.size
        content = b"".join(part.tobytes() for part in parts)
        code = _GAINS.replace("SIZES", json.dumps(sizes))
        network, told, _ = self._run(_DEEP, code, content)
        for part, found in zip(parts, json.loads(told), strict=True):
            weights = np.float32((0.299, 0.587, 0.114)) / 255
            expected = gains.gains(
                network.params["context"],
                part[..., :3],
                luma=lambda rows, weights=weights: rows @ weights,
                visible=part[..., 3] > 0,
            )
            np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_tiles_use_the_gains_of_the_whole_picture(self):
        picture = dead_leaves.render(2, size=128, seed=6)
        picture = np.tile(picture[:40], (1, 6, 1))
        picture[:, :400] //= 5
        opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        code = _TILES.replace("WIDTH", str(picture.shape[1]))
        code = code.replace("HEIGHT", str(picture.shape[0]))
        code = code.replace("RUNTIME", json.dumps(_RUNTIME))
        network, told, _ = self._run(_DEEP, code, opaque.tobytes())
        weights = np.float32((0.299, 0.587, 0.114))
        expected = gains.of_batch(
            network.params["context"], np.float32(picture[None] / 255), weights
        )[0]
        given = json.loads(told)
        self.assertGreater(len(given), 1)
        for shape, found in given:
            self.assertEqual(shape, [1, 24, 1, 1])
            np.testing.assert_allclose(found, expected, atol=1e-4)

    @parameterized.parameters(_DEEP, _PLAIN)
    def test_frames_match_the_runtime(self, **arguments):
        size = (90, 122)
        scenes = [dead_leaves.render(n, size=128, seed=6)[..., 1] for n in (0, 1)]
        scenes[1] = scenes[1] // 4 + 100
        # A scene that changes little by little, and another one.
        frames = [np.uint8(scenes[0] * (1 - 0.004 * n)) for n in range(10)]
        frames = [x[: size[0], : size[1]] for x in (*frames, scenes[1])]
        code = _PLANES.replace("WIDTH", str(size[1])).replace("HEIGHT", str(size[0]))
        content = b"".join(frame.tobytes() for frame in frames)
        network, _, found = self._run(arguments, code, content)
        found = np.frombuffer(found, np.uint8).reshape(-1, *size).astype(int)
        restore = planes.create(network, *size[::-1], range="full")
        gain_tracker = GainTracker(
            network.params["context"], levels.of_video(8, "full")
        )
        own = [gain_tracker(frame) for frame in frames]
        self.assertGreater(np.abs(own[-1] - own[0]).max(), 0.05)
        for frame, sharp in zip(frames, found, strict=True):
            wanted = restore(frame).astype(int)
            change = np.abs(wanted - frame)
            self.assertGreater(change.mean(), 0.5)
            bound = max(1, change.max() // 25)
            self.assertLessEqual(np.abs(sharp - wanted).max(), bound)
            self.assertLess(np.abs(sharp - wanted).mean(), 0.02 * change.mean())


if __name__ == "__main__":
    absltest.main()
