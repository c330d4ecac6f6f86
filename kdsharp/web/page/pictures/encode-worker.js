// The worker that encodes files.

import { UserError } from "../words.js";
import { png } from "./png.js";

const QUALITY = 0.95;

async function encode({ picture, kind }) {
  if (kind === "png") return png(picture);
  const { width, height, pixels } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.putImageData(new ImageData(pixels, width, height), 0, 0);
  if (kind === "jpeg") {
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
  }
  const type = `image/${kind}`;
  const file = await canvas.convertToBlob({ type, quality: QUALITY });
  if (file.type !== type)
    throw new UserError(`This browser cannot write ${kind.toUpperCase()}: use PNG.`);
  return file;
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ file: await encode(data) });
  } catch (error) {
    self.postMessage({ failed: error.message, sentence: error instanceof UserError });
  }
};
