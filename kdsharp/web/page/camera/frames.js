// Restores frames of video. In YUV frames only luma changes; in RGB frames the residual of
// luma is added to all three channels.

import { FULL, open, STUDIO } from "./planes.js";

const SEAM = 2;

/** The timestamp of a frame; some browsers report invalid ones for canvases. */
const stamp = ({ timestamp }) =>
  Number.isSafeInteger(timestamp) ? timestamp : Math.round(1000 * performance.now());

/** Restores frames of any size with one network. */
export class Frames {
  #network;
  #capabilities;
  #plane;
  #size = "";
  #canvas;
  strength = 1;
  // The position (0 to 1) left of which frames stay as they are, or null.
  split = null;

  constructor(network, capabilities) {
    this.#network = network;
    this.#capabilities = capabilities;
  }

  get by() {
    return this.#plane?.by ?? "";
  }

  get size() {
    return this.#size;
  }

  /** Restores a VideoFrame; returns a new one and closes the given one. */
  async restore(frame) {
    try {
      const { x, y, width: w, height: h } = frame.visibleRect;
      const [width, height] = [w & ~1, h & ~1];
      // For sizes that a camera lacks, browsers deliver another size and a display size.
      if (Math.abs(frame.displayWidth - w) > 1 || Math.abs(frame.displayHeight - h) > 1)
        return await this.#resized(frame);
      const plane = await this.#open(width, height);
      const rect = { x, y, width, height };
      const luma = /^(I4|NV12)/.test(frame.format ?? "");
      // 4:4:4 chroma does not fit behind luma in the buffer.
      if (luma && frame.allocationSize({ rect }) <= plane.input.length)
        return await this.#ofPlanes(plane, frame, rect);
      return await this.#ofColours(frame, rect);
    } finally {
      frame.close();
    }
  }

  async #ofPlanes(plane, frame, rect) {
    const { width, height } = rect;
    const { format, duration, colorSpace } = frame;
    const timestamp = stamp(frame);
    const bytes = frame.allocationSize({ rect });
    await frame.copyTo(plane.input, { rect });
    const levels = colorSpace.fullRange ? FULL : STUDIO;
    const sharp = await plane.run({ ...levels, strength: this.strength });
    this.#join(plane, sharp, width, height, levels.black + levels.span);
    // Firefox and WebKit ignore `layout`, so the planes are stored contiguously.
    for (let y = 0; y < height; y++)
      plane.input.set(
        sharp.subarray(y * plane.stride, y * plane.stride + width),
        y * width,
      );
    const data = plane.input.subarray(0, bytes);
    const wish = { format, timestamp, codedWidth: width, codedHeight: height };
    if (duration) wish.duration = duration;
    return new VideoFrame(data, { ...wish, colorSpace: colorSpace.toJSON() });
  }

  async #ofColours(frame, rect) {
    const { width, height } = rect;
    const pixels = new Uint8ClampedArray(4 * width * height);
    // Not every browser can convert the channel order.
    const own = /^(RGB|BGR)[AX]$/.test(frame.format ?? "");
    await frame.copyTo(pixels, own ? { rect } : { rect, format: "RGBA" });
    const format = own ? frame.format : "RGBA";
    return this.#coloured(pixels, width, height, stamp(frame), format);
  }

  async #resized(frame) {
    const [width, height] = [frame.displayWidth & ~1, frame.displayHeight & ~1];
    if (this.#canvas?.canvas.width !== width || this.#canvas.canvas.height !== height)
      this.#canvas = new OffscreenCanvas(width, height).getContext("2d", {
        willReadFrequently: true,
      });
    this.#canvas.drawImage(frame, 0, 0, width, height);
    const pixels = this.#canvas.getImageData(0, 0, width, height).data;
    return this.#coloured(pixels, width, height, stamp(frame));
  }

  async #coloured(pixels, width, height, timestamp, format = "RGBA") {
    await this.colours(pixels, width, height, format.startsWith("B") ? 2 : 0);
    const wish = { format, timestamp, codedWidth: width, codedHeight: height };
    return new VideoFrame(pixels, wish);
  }

  /** Restores RGBA pixels in place; `red` is 2 for BGRA. */
  async colours(pixels, width, height, red = 0) {
    const plane = await this.#open(width, height);
    const { input, stride } = plane;
    for (let n = 0, at = 0; at < pixels.length; n++, at += 4)
      input[n] =
        0.299 * pixels[at + red] +
        0.587 * pixels[at + 1] +
        0.114 * pixels[at + 2 - red] +
        0.5;
    const sharp = await plane.run({ ...FULL, strength: this.strength });
    const seam = this.#seam(width);
    for (let y = 0, n = 0; y < height; y++)
      for (let x = 0; x < width; x++, n++) {
        if (x < seam) continue;
        const white = seam && x < seam + SEAM;
        const more = white ? 255 : sharp[y * stride + x] - input[n];
        for (let c = 0; c < 3; c++) pixels[4 * n + c] += more;
      }
  }

  #seam(width) {
    return this.split === null ? 0 : Math.round(width * this.split);
  }

  #join({ input, stride }, after, width, height, white) {
    const seam = this.#seam(width);
    if (!seam) return;
    for (let y = 0; y < height; y++) {
      after.set(input.subarray(y * width, y * width + seam), y * stride);
      after.fill(white, y * stride + seam, y * stride + Math.min(seam + SEAM, width));
    }
  }

  async #open(width, height) {
    const size = `${width}x${height}`;
    if (size !== this.#size) {
      this.#plane?.close();
      this.#plane = await open(this.#network, width, height, this.#capabilities);
      this.#size = size;
    }
    return this.#plane;
  }

  /** Starts a new sequence with the next frame, such as after a seek. */
  forget() {
    this.#plane?.forget?.();
  }

  close() {
    this.#plane?.close();
  }
}
