// Decodes files to 8-bit RGBA pixels, upright and in sRGB.

import { megapixels, UserError } from "../words.js";
import { headers } from "./headers.js";

export const MOST_MEGAPIXELS = 64;
const HEAD = 1 << 20;
// Every device supports textures of this size.
const SIDE = 2048;

/** Decodes a picture file: width, height, pixels, and whether it is grey. */
export async function decode(file, name = file.name || "the picture") {
  const head = headers(new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  if (!head) throw new UserError(`${name} is not a JPG, PNG or WebP.`);
  if (head.width * head.height > MOST_MEGAPIXELS * 1e6)
    throw new UserError(
      `${name} is too large: ${megapixels(head.width, head.height)} megapixels; this ` +
        `page supports ${MOST_MEGAPIXELS}. Use the command kdsharp sharpen for larger ones.`,
    );
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" });
  } catch {
    throw new UserError(`${name} is damaged: this browser cannot read it.`);
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

/** Whether any pixel is not opaque; a canvas rounds the colours of such pixels. */
function isTranslucent(pixels) {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true;
  return false;
}

/** Reads the colours without premultiplication by alpha, which a canvas would apply. */
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
