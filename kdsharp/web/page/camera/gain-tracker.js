// Tracks the gains of a network with a context over a sequence of planes: updates them
// every few planes, and at once at a scene change.

const EVERY = 8;
const SHARE = 0.5;
// The approximate number of windows that are used on a large plane.
const WINDOWS = 2500;
// Scene changes are detected on block means, about BLOCKS along the side of a square:
// their mean absolute difference exceeds this fraction of the contrast, and the noise.
const BLOCKS = 30;
const CONTRAST = 0.4;
const NOISE = 0.004;

export class GainTracker {
  #context;
  #width;
  #height;
  #every;
  #gains = null;
  #blocks = null;
  #age = 0;

  constructor(context, width, height) {
    this.#context = context;
    this.#width = width;
    this.#height = height;
    this.#every = Math.max(1, Math.round((width * height) / 64 / WINDOWS));
  }

  /** Computes the gains for the next plane. */
  next(plane, levels) {
    const blocks = this.#means(plane, levels);
    if (!this.#blocks || isOther(blocks, this.#blocks)) {
      this.#gains = this.#find(plane, levels);
    } else if (++this.#age < EVERY) {
      return this.#gains;
    } else {
      const found = this.#find(plane, levels);
      this.#gains = this.#gains.map((gain, n) => gain + SHARE * (found[n] - gain));
    }
    this.#blocks = blocks;
    this.#age = 0;
    return this.#gains;
  }

  #find(plane, { black, span }) {
    const width = this.#width;
    const line = (y, out) => {
      for (let x = 0, at = y * width; x < width; x++, at++)
        out[x] = (plane[at] - black) / span;
    };
    return this.#context.gains(width, this.#height, line, this.#every);
  }

  /** Mean luma of blocks, sampled from four rows of each block. */
  #means(plane, { black, span }) {
    const [width, height] = [this.#width, this.#height];
    const step = Math.max(Math.round(Math.sqrt(width * height) / BLOCKS / 4), 1);
    const side = Math.min(4 * step, width, height);
    const [across, down] = [Math.floor(width / side), Math.floor(height / side)];
    const rows = Math.ceil(side / step);
    const means = new Float32Array(across * down);
    for (let y = 0; y < down * side; y++) {
      if ((y % side) % step) continue;
      const first = Math.floor(y / side) * across;
      for (let x = 0, at = y * width; x < across * side; x++, at++)
        means[first + Math.floor(x / side)] += plane[at];
    }
    return means.map((sum) => (sum / (rows * side) - black) / span);
  }
}

function isOther(blocks, before) {
  let apart = 0;
  for (let n = 0; n < blocks.length; n++) apart += Math.abs(blocks[n] - before[n]);
  apart /= blocks.length;
  const contrast = Math.min(spread(blocks), spread(before));
  return apart > NOISE && apart > CONTRAST * contrast;
}

function spread(x) {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  return x.reduce((sum, value) => sum + Math.abs(value - mean), 0) / x.length;
}
