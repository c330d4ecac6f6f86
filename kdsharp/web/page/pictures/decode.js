// Files become pixels: 8 bits of RGBA, upright, in sRGB.

import { megapixels, Sentence } from "../words.js";
import { headers } from "./headers.js";

export const MOST_MEGAPIXELS = 64;
const HEAD = 1 << 20;
// A texture of this side is known everywhere.
const SIDE = 2048;

/** Returns the picture in a file: width, height, pixels, and whether it is grey. */
export async function decode(file, name = file.name || "the picture") {
  const head = headers(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  if (!head) throw new Sentence(`${name} is no JPG, PNG or WebP.`);
  if (head.width * head.height > MOST_MEGAPIXELS * 1e6)
    throw new Sentence(
      `${name} is too large: ${megapixels(head.width, head.height)} megapixels; this ` +
        `page takes ${MOST_MEGAPIXELS}. The command kdsharp sharpen takes more.`,
    );
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" });
  } catch {
    throw new Sentence(`${name} is damaged: this browser cannot read it.`);
  }
  const { width, height } = bitmap;
  try {
    let pixels = fromCanvas(bitmap);
    if (isTranslucent(pixels)) pixels = (await fromTextures(bitmap)) ?? pixels;
    return { width, height, pixels, grey: Boolean(head.grey) };
  } finally {
    bitmap.close();
  }
}

function fromCanvas(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

/** Returns whether there is alpha between none and all, which a canvas rounds. */
function isTranslucent(pixels) {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true;
  return false;
}

/** Returns the colours as stored, which a canvas multiplies by alpha. */
async function fromTextures(bitmap) {
  const canvas = new OffscreenCanvas(1, 1);
  const gl = canvas.getContext("webgl2", { premultipliedAlpha: false });
  if (!gl) return null;
  const { width, height } = bitmap;
  const pixels = new Uint8ClampedArray(4 * width * height);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  for (let top = 0; top < height; top += SIDE)
    for (let left = 0; left < width; left += SIDE) {
      const [w, h] = [Math.min(SIDE, width - left), Math.min(SIDE, height - top)];
      const piece = await createImageBitmap(bitmap, left, top, w, h, {
        premultiplyAlpha: "none",
      });
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, piece);
      gl.framebufferTexture2D(
        gl.FRAMEBUFFER,
        gl.COLOR_ATTACHMENT0,
        gl.TEXTURE_2D,
        texture,
        0,
      );
      const part = new Uint8Array(4 * w * h);
      gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, part);
      gl.deleteTexture(texture);
      piece.close();
      if (gl.getError()) return null;
      for (let y = 0; y < h; y++)
        pixels.set(
          part.subarray(4 * y * w, 4 * (y + 1) * w),
          4 * ((top + y) * width + left),
        );
    }
  return pixels;
}
