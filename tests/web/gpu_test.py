"""WebGPU in software gives the same pixels."""

import io

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image
from skimage import data

import kdsharp
from kdsharp.export import network as networks
from kdsharp.runtime import planes
from tests.web import browser, cameras, sites

pytestmark = pytest.mark.slow

# One whose gains follow the picture.
_CONTEXT = "rt-s-call"
_PLANE = """async ([bytes, width, height]) => {
  const { ways } = await import("./camera/planes.js");
  const { read } = await import("./site.js");
  const [network] = (await read()).networks;
  const plane = await ways.webgpu(network, width, height, { threads: 1 });
  plane.input.set(bytes);
  const sharp = await plane.run({ black: 16, span: 219, strength: 1 });
  return [plane.by, [...sharp]];
}"""

# Restores a plane by one way, twice, as frames of a film come one after another.
_BY = """async ([name, way, bytes, width, height, levels]) => {
  const { ways } = await import("./camera/planes.js");
  const { find, read } = await import("./site.js");
  const network = find(await read(), name);
  const plane = await ways[way](network, width, height, { threads: 1 });
  plane.input.set(bytes);
  await plane.run({ ...levels, strength: 0 });
  const sharp = [...await plane.run(levels)];
  plane.close();
  return [plane.by, plane.stride, sharp];
}"""

# Restores planes in order.
_FILM = """async ([name, film, width, height]) => {
  const { ways } = await import("./camera/planes.js");
  const { find, read } = await import("./site.js");
  const plane = await ways.shader(find(await read(), name), width, height, {});
  const found = [];
  for (const bytes of film) {
    plane.input.set(bytes);
    found.push([...await plane.run({ black: 16, span: 219, strength: 1 })]);
  }
  plane.close();
  return found;
}"""


class GpuTest(browser.PageTest):
    ARGUMENTS = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")

    def test_pictures_and_planes(self):
        with browser.host(sites.built()) as (address, _):
            page = self.open(address)
            # Played, it is slower than WebAssembly, and not chosen unless asked for.
            self.assertStartsWith(page.inner_text("#engine-told"), "WebAssembly")
            page = self.open(f"{address}?by=webgpu")
            self.assertStartsWith(page.inner_text("#engine-told"), "WebGPU")
            photograph = Image.fromarray(data.astronaut()).resize((64, 48))
            file = io.BytesIO()
            photograph.save(file, "PNG")
            page.set_input_files(
                "#file", {"name": "a.png", "mimeType": "", "buffer": file.getvalue()}
            )
            self.wait(page, "#status", " s$")
            with page.expect_download() as download:
                page.click("#save")
            saved = np.asarray(Image.open(download.value.path())).astype(int)
            wanted = kdsharp.load(sites.STUDENT)(np.asarray(photograph))
            self.assertLessEqual(np.abs(saved - wanted).max(), 2)

            luma = cameras.plane(64, 48)
            by, sharp = page.evaluate(_PLANE, [luma.ravel().tolist(), 64, 48])
            self.assertEqual(by, "onnxruntime, WebGPU")
            wanted = planes.create(sites.STUDENT, 64, 48)(luma).astype(int)
            self.assertLessEqual(np.abs(np.reshape(sharp, (48, 64)) - wanted).max(), 2)


class ShaderTest(browser.PageTest):
    """Networks as WebGPU shaders of their own, played by the processor."""

    ARGUMENTS = GpuTest.ARGUMENTS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        site, cls.files = sites.of_kernels(cls.folder, _CONTEXT)
        cls.address, _ = cls.enterClassContext(browser.host(site))
        cls.page = cls.open_for_all(cls.address)

    @parameterized.product(
        name=(sites.STUDENT, _CONTEXT, "deep", "plain"),
        case=(((64, 48), "studio", 16, 219, 1.0), ((66, 50), "full", 0, 255, 1.4)),
    )
    def test_planes_are_as_the_native_ones(self, name, case):
        size, range_, black, span, strength = case
        luma = cameras.plane(*size)
        given = {"black": black, "span": span, "strength": strength}
        by, stride, sharp = self.page.evaluate(
            _BY, [name, "shader", luma.ravel().tolist(), *size, given]
        )
        self.assertEqual((by, stride), ("WebGPU, its own shader", size[0]))
        restore = planes.create(
            networks.of_weights(self.files[name]),
            *size,
            range=range_,
            strength=strength,
        )
        wanted = restore(luma).astype(int)
        change = np.abs(luma - wanted)
        apart = np.abs(np.reshape(sharp, luma.shape) - wanted)
        self.assertGreater(change.mean(), 0.5)
        # What a network of random numbers changes is more than one that learned.
        self.assertLessEqual(apart.max(), max(1, change.max() // 25))
        self.assertLess(apart.mean(), 0.02 * change.mean())

    def test_a_network_with_memory_remembers(self):
        size = (64, 48)
        noise = np.random.default_rng(0)
        scene = cameras.plane(*size)
        film = [np.uint8(scene + noise.integers(0, 6, scene.shape)) for _ in range(6)]
        given = [frame.ravel().tolist() for frame in film]
        found = self.page.evaluate(_FILM, ["memory", given, *size])
        sites.check_memory(self, self.files["memory"], film, found)

    def test_the_fastest_that_was_measured_is_taken(self):
        page = self.open(f"{self.address}?by=webgpu")
        opened = """async (measured) => {
          const { open } = await import("./camera/planes.js");
          const { read } = await import("./site.js");
          const [network] = (await read()).networks;
          const how = { by: "wasm", threads: 1, gpu: true, measured };
          const plane = await open(network, 64, 48, how);
          plane.close();
          return plane.by;
        }"""
        rows = [
            {"network": sites.STUDENT, "way": way, "milliseconds": times}
            for way, times in (("kernel", [5, 9, 9]), ("shader", [4, 10, None]))
        ]
        self.assertEqual(page.evaluate(opened, rows), "WebGPU, its own shader")
        rows[0]["milliseconds"][0] = 3
        self.assertEqual(page.evaluate(opened, rows), "WebAssembly, 16 bits")
        # Nothing was measured: both are tried.
        self.assertRegex(page.evaluate(opened, []), "WebAssembly|WebGPU")

    def test_all_ways_of_this_machine_are_measured(self):
        page = self.open(f"{self.address}?by=webgpu")
        rows = page.evaluate("""async () => {
          const { measure } = await import("./camera/measure.js");
          const { capabilities } = await import("./engine/capabilities.js");
          const { SIZES } = await import("./camera/measured.js");
          const { read } = await import("./site.js");
          SIZES.splice(0, 3, [64, 48]);
          const site = await read();
          site.networks.length = 1;
          return measure(site, await capabilities(site), () => {});
        }""")
        found = [(row["network"], row["way"]) for row in rows]
        ways = ("kernel", "shader")
        self.assertEqual(found, [(sites.STUDENT, way) for way in ways])
        for row in rows:
            self.assertGreater(row["milliseconds"][0], 0)


if __name__ == "__main__":
    absltest.main()
