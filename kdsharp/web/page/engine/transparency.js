// Fills in colours under full transparency. Files may hold any colour there, most often
// black, whose edge would bleed into the visible pixels next to it.

// The last one covers the receptive field of every included network.
const SCALES = [1, 2, 4, 8, 16, 32];

/** Replaces hidden pixels by the mean of the visible colours around them. */
export function cover({ width, height, pixels }) {
  const missing = [];
  for (let at = 3, n = 0; at < pixels.length; at += 4, n++)
    if (pixels[at] === 0) missing.push(n);
  if (!missing.length || missing.length === width * height) return pixels;
  const covered = new Uint8ClampedArray(pixels);
  let left = missing;
  for (const scale of SCALES) {
    const planes = [0, 1, 2, 3].map((c) => sums(pixels, width, height, c, scale));
    left = left.filter((n) => {
      const count = planes[3][n];
      for (let c = 0; count && c < 3; c++)
        covered[4 * n + c] = Math.floor(planes[c][n] / count);
      return !count;
    });
    if (!left.length) break;
  }
  return covered;
}

/** Sums of one channel over the visible pixels of squares; for alpha, their count. */
function sums(pixels, width, height, channel, scale) {
  let x = new Int32Array(width * height);
  for (let n = 0, at = 0; n < x.length; n++, at += 4)
    if (pixels[at + 3]) x[n] = channel === 3 ? 1 : pixels[at + channel];
  x = along(x, height, width, 1, width, scale);
  return along(x, width, height, width, 1, scale);
}

/** Sums along lines of `length` values that are `step` apart. */
function along(x, lines, length, step, apart, scale) {
  const out = new Int32Array(x.length);
  for (let line = 0; line < lines; line++) {
    const from = line * apart;
    let sum = 0;
    for (let n = 0; n < Math.min(scale, length); n++) sum += x[from + n * step];
    for (let n = 0; n < length; n++) {
      if (n + scale < length) sum += x[from + (n + scale) * step];
      if (n - scale - 1 >= 0) sum -= x[from + (n - scale - 1) * step];
      out[from + n * step] = sum;
    }
  }
  return out;
}
