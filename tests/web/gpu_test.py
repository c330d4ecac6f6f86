"""WebGPU in software gives the same pixels."""

import io

import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image
from skimage import data

import kdsharp
from kdsharp.runtime import planes
from tests.web import browser, cameras, sites

pytestmark = pytest.mark.slow


_PLANE = """async ([bytes, width, height]) => {
  const { ways } = await import("./camera/planes.js");
  const { read } = await import("./site.js");
  const [network] = (await read()).networks;
  const plane = await ways.webgpu(network, width, height, { threads: 1 });
  plane.input.set(bytes);
  const sharp = await plane.run({ black: 16, span: 219, strength: 1 });
  return [plane.by, [...sharp]];
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


if __name__ == "__main__":
    absltest.main()
