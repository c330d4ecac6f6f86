"""The page of a server without a built site, which uses the API."""

import io

import numpy as np
from absl.testing import absltest
from PIL import Image
from skimage import data

import kdsharp
from kdsharp.base import optional
from tests.web import browser
from tests.web.serving import servers


@absltest.skipIf(not optional.installed("starlette"), "starlette is not installed")
class PageTest(browser.PageTest):
    def test_pictures_are_sharpened_by_the_server(self):
        photograph = Image.fromarray(data.astronaut()).resize((150, 110))
        file = io.BytesIO()
        photograph.save(file, "PNG")
        with servers.serving("--models", "rt-s-call") as (address, _, _):
            page = self.open(address)
            self.assertEqual(page.inner_text("#engine-told"), "on the server")
            self.assertIn("sent to this page's server", page.inner_text("#where"))
            page.set_input_files(
                "#file", {"name": "a.png", "mimeType": "", "buffer": file.getvalue()}
            )
            self.wait(page, "#status", " s$")
            with page.expect_download() as download:
                page.click("#save")
            saved = np.asarray(Image.open(download.value.path()))
        wanted = kdsharp.load("rt-s-call")(np.asarray(photograph))
        np.testing.assert_array_equal(saved, wanted)
        self.assertEmpty(page.complaints)
        for url in page.asked:
            self.assertStartsWith(url.removeprefix("blob:"), address)


if __name__ == "__main__":
    absltest.main()
