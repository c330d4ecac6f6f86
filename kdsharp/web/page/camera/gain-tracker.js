// Tracks the gains of a network with a context over a sequence of planes: updates them
// every few planes, and at once at a scene change.

import { blocks, isOther } from "./scenes.js";

const EVERY = 8;
const SHARE = 0.5;
// The approximate number of windows that are used on a large plane.
const WINDOWS = 2500;

export class GainTracker {
  #context;
  #width;
  #height;
  #every;
  #gains = null;
  #coarse = null;
  #age = 0;

  constructor(context, width, height) {
    this.#context = context;
    this.#width = width;
    this.#height = height;
    this.#every = Math.max(1, Math.round((width * height) / 64 / WINDOWS));
  }

  /** The factor of a memory's share for the current gains, as in the runtimes. */
  get active() {
    const sum = this.#gains.reduce((total, gain) => total + gain, 0);
    return Math.min(1, sum / this.#gains.length);
  }

  /** Computes the gains for the next plane. */
  next(plane, levels) {
    const coarse = blocks(plane, this.#width, this.#height, levels);
    if (!this.#coarse || isOther(coarse, this.#coarse)) {
      this.#gains = this.#find(plane, levels);
    } else if (++this.#age < EVERY) {
      return this.#gains;
    } else {
      const found = this.#find(plane, levels);
      this.#gains = this.#gains.map((gain, n) => gain + SHARE * (found[n] - gain));
    }
    this.#coarse = coarse;
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
}
