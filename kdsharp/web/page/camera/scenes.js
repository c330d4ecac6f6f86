// Detects scene changes between planes of video, from coarse means of blocks.

// There are about BLOCKS blocks along the side of a square. In another scene, their mean
// absolute difference exceeds this fraction of the contrast, and the noise.
const BLOCKS = 30;
const CONTRAST = 0.4;
const NOISE = 0.004;

/** Mean luma of blocks in [0, 1], sampled from four rows of each block. */
export function blocks(plane, width, height, { black, span }) {
  const step = Math.max(Math.round(Math.sqrt(width * height) / BLOCKS / 4), 1);
  // Planes smaller than a block have a block per pixel.
  const side = Math.min(width, height) < 4 * step ? 1 : 4 * step;
  const [across, down] = [Math.floor(width / side), Math.floor(height / side)];
  const rows = Math.ceil(side / step);
  const means = new Float32Array(across * down);
  for (let y = 0; y < down * side; y++) {
    if ((y % side) % step) continue;
    const first = Math.floor(y / side) * across;
    for (let n = 0, at = y * width; n < across; n++) {
      let sum = 0;
      for (const end = at + side; at < end; at++) sum += plane[at];
      means[first + n] += sum;
    }
  }
  return means.map((sum) => (sum / (rows * side) - black) / span);
}

/** Whether two planes with these blocks show different scenes. */
export function isOther(coarse, before) {
  let apart = 0;
  for (let n = 0; n < coarse.length; n++) apart += Math.abs(coarse[n] - before[n]);
  apart /= coarse.length;
  const contrast = Math.min(spread(coarse), spread(before));
  return apart > NOISE && apart > CONTRAST * contrast;
}

function spread(x) {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return x.reduce((sum, value) => sum + Math.abs(value - mean), 0) / x.length;
}
