// Runs a network's WebAssembly module on luma planes, row by row. Each layer keeps its
// latest rows in a ring buffer for the next layer, which is good for the cache.

const PLACES = 8;
const SLACK = 64;
const FOLDED = 4;
const LAST_PLACES = 9;
// As in the module: the limit of values between layers, and the maximum sum of weights.
const MOST = 32768;
const MOST_WEIGHTS = 2 ** 31 / MOST - 1;

const up = (value) => Math.ceil(value / SLACK) * SLACK;

/** Computes the memory layout for planes of that size. */
export function layout(kernel, width, height, threads, context = null) {
  const depth = kernel.numbers.length;
  const places = width / 2 + PLACES;
  const rowBytes = (channels) => up(places * channels * 2);
  let end = up(kernel.end);
  const take = (bytes) => {
    const at = end;
    end += up(bytes) + SLACK;
    return at;
  };
  const zeros = take(rowBytes(kernel.width));
  const rings = Array.from({ length: threads }, () =>
    Array.from({ length: depth }, (_, layer) => {
      const size = rowBytes(layer ? kernel.width : FOLDED);
      // With a skip connection, the rows of the first convolution are needed again later.
      const count = layer === 1 && kernel.skip ? 2 ** Math.ceil(Math.log2(depth)) : 4;
      return {
        at: take(size * count),
        size,
        count,
        channels: layer ? kernel.width : FOLDED,
      };
    }),
  );
  // Chroma follows luma, as cameras deliver it.
  const frame = take(2 * width * height);
  // Writes beyond the end of a line must not reach the next line.
  const stride = Math.ceil(width / PLACES) * PLACES;
  const out = take(stride * height);
  const control = take(64);
  // The weights of the last layer, scaled by the current gains.
  const gained = context ? take(LAST_PLACES * FOLDED * kernel.width * 2 + 8 * FOLDED) : 0;
  return {
    zeros,
    rings,
    frame,
    out,
    stride,
    control,
    gained,
    bytes: end + SLACK,
    width,
    height,
  };
}

/** Returns a function that restores rows `from` to `to` (of two lines each) of a plane. */
export function rows(instance, kernel, places, thread) {
  const { fold, first, inner, last } = instance.exports;
  const { zeros, frame, out, stride, width, height, memory } = places;
  const rings = places.rings[thread];
  const depth = kernel.numbers.length;
  const [count, all] = [width / 2, height / 2];
  const bytes = new Uint8Array(memory.buffer);
  const at = ({ at: start, size, count: many }, row) =>
    row < 0 || row >= all ? zeros : start + (row % many) * size;

  /** Restores the zeros after the end of a row. */
  const close = (ring, row) => {
    const end = at(ring, row) + (count + 1) * ring.channels * 2;
    bytes.fill(0, end, end + ring.channels * 2);
  };

  return ({ from, to, black, span, strength }) => {
    for (let step = from - depth; step < to + depth; step++)
      for (let layer = 0; layer <= depth; layer++) {
        const row = step - layer;
        const more = depth - layer;
        if (row < Math.max(from - more, 0) || row >= Math.min(to + more, all)) continue;
        const pixels = frame + 2 * row * width;
        if (layer === 0) {
          const to_ = at(rings[0], row) + FOLDED * 2;
          fold(pixels, pixels + width, to_, count, black);
          close(rings[0], row);
          continue;
        }
        const ring = rings[layer - 1];
        const near = [at(ring, row - 1), at(ring, row), at(ring, row + 1)];
        const numbers = kernel.numbers[layer - 1];
        if (layer === depth) {
          const its = places.gained || numbers;
          const result = out + 2 * row * stride;
          const lines = [pixels, pixels + width, result, result + stride];
          last(...near, its, ...lines, count, strength * span);
          continue;
        }
        const place = kernel.width * 2;
        const skips = kernel.skip && layer === depth - 1;
        const added = skips ? at(rings[1], row) + place : zeros;
        const to_ = at(rings[layer], row) + place;
        if (layer === 1) first(...near, numbers, added, to_, count, 1 / span);
        else inner(...near, numbers, added, to_, count, 1);
        close(rings[layer], row);
      }
  };
}

/** Returns a function that scales the kernel of the last layer by gains. */
export function gainScaler(kernel, places, { last, scale }) {
  const { buffer } = places.memory;
  const count = LAST_PLACES * kernel.width * FOLDED;
  const weights = new Int16Array(buffer, places.gained, count);
  const steps = new Float32Array(buffer, places.gained + 2 * count, 2 * FOLDED);
  const given = kernel.numbers.at(-1) + 2 * count + 4 * FOLDED;
  steps.set(new Float32Array(buffer.slice(given, given + 4 * FOLDED)), FOLDED);
  const gained = new Float64Array(count);
  const room = MOST_WEIGHTS - LAST_PLACES * kernel.width;
  return (gains) => {
    // [place, pair of channels, filter, channel of the pair]
    for (let n = 0; n < count; n++) {
      const pair = Math.floor(n / (2 * FOLDED)) % (kernel.width / 2);
      gained[n] = last[n] * gains[2 * pair + (n % 2)];
    }
    for (let filter = 0; filter < FOLDED; filter++) {
      let [size, most] = [0, 0];
      const each = (use) => {
        for (let n = 2 * filter; n < count; n += 2 * FOLDED) [n, n + 1].forEach(use);
      };
      each((n) => {
        size += Math.abs(gained[n]);
        most = Math.max(most, Math.abs(gained[n]));
      });
      let step = (size || 1) / room;
      step *= Math.max(most / step / 32767, 1);
      each((n) => (weights[n] = Math.round(gained[n] / step)));
      steps[filter] = step * scale;
    }
  };
}
