// Conversion between 8-bit RGBA pixels and the inputs and outputs of networks.

import { mirrored } from "./tiles.js";

// ITU-R BT.601.
const RED = 0.299;
const GREEN = 0.587;
const BLUE = 0.114;

/** Luma or RGB in [0, 1] of a tile, mirrored below and right of the picture. */
export function seen(picture, { row, column }, channels) {
  const { width, height, covered: pixels } = picture;
  const x = new Float32Array(row.length * column.length * channels);
  let to = 0;
  for (let i = 0; i < row.length; i++) {
    const line = mirrored(row.from + i, height) * width;
    for (let j = 0; j < column.length; j++) {
      const at = 4 * (line + mirrored(column.from + j, width));
      const r = pixels[at] / 255;
      const g = pixels[at + 1] / 255;
      const b = pixels[at + 2] / 255;
      if (channels === 1) x[to++] = RED * r + GREEN * g + BLUE * b;
      else {
        x[to++] = r;
        x[to++] = g;
        x[to++] = b;
      }
    }
  }
  return x;
}

/** Returns a function that writes a line of luma in [0, 1]; `marks` sets hidden to NaN. */
export function lines({ width, covered, pixels }) {
  return (y, out, marks) => {
    for (let x = 0, at = 4 * y * width; x < width; x++, at += 4) {
      const luma = RED * covered[at] + GREEN * covered[at + 1] + BLUE * covered[at + 2];
      out[x] = marks && pixels[at + 3] === 0 ? NaN : luma / 255;
    }
  };
}

/** Writes the residual of the part of a tile that is kept. */
export function keep(residual, width, { row, column }, before, after, channels) {
  const count = (column.last - column.first) * channels;
  for (let y = row.first; y < row.last; y++) {
    let at = ((y - row.from) * column.length + (column.first - column.from)) * channels;
    let to = (y * width + column.first) * channels;
    for (let n = 0; n < count; n++, at++, to++) residual[to] = after[at] - before[at];
  }
}

/** Adds `strength * residual` to the picture; alpha is unchanged. */
export function add(picture, residual, strength, channels) {
  const { pixels, grey } = picture;
  // Uint8ClampedArray rounds and clips.
  const sharp = new Uint8ClampedArray(pixels);
  const times = 255 * strength;
  for (let at = 0, from = 0; at < sharp.length; at += 4, from += channels) {
    if (pixels[at + 3] === 0) continue;
    let [r, g, b] = [residual[from], residual[from], residual[from]];
    if (channels === 3) [g, b] = [residual[from + 1], residual[from + 2]];
    // Grey pictures stay grey.
    if (grey) r = g = b = RED * r + GREEN * g + BLUE * b;
    sharp[at] = pixels[at] + times * r;
    sharp[at + 1] = pixels[at + 1] + times * g;
    sharp[at + 2] = pixels[at + 2] + times * b;
  }
  return sharp;
}
