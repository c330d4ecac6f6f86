// Runs a network's own WebAssembly on planes of luma, row by row. Every layer keeps the
// last rows that it made, so that what comes next finds them near.

const PLACES = 8;
const SLACK = 64;
const FOLDED = 4;

const up = (value) => Math.ceil(value / SLACK) * SLACK;

/** Returns where things lie in memory for planes of that size, and how much it takes. */
export function layout(kernel, width, height, threads) {
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
      // The first convolution's rows are asked for once more where the network skips.
      const count = layer === 1 && kernel.skip ? 2 ** Math.ceil(Math.log2(depth)) : 4;
      return { at: take(size * count), size, count, channels: layer ? kernel.width : FOLDED };
    }),
  );
  // Colour lies behind luma, as cameras give it.
  const frame = take(2 * width * height);
  // What is written behind a line must not be the next one.
  const stride = Math.ceil(width / PLACES) * PLACES;
  const out = take(stride * height);
  const control = take(64);
  return { zeros, rings, frame, out, stride, control, bytes: end + SLACK, width, height };
}

/** Returns a function that makes rows `from` to `to`, two lines each, of the plane. */
export function rows(instance, kernel, places, thread) {
  const { fold, first, inner, last } = instance.exports;
  const { zeros, frame, out, stride, width, height, memory } = places;
  const rings = places.rings[thread];
  const depth = kernel.numbers.length;
  const [count, all] = [width / 2, height / 2];
  const bytes = new Uint8Array(memory.buffer);
  const at = ({ at: start, size, count: many }, row) =>
    row < 0 || row >= all ? zeros : start + (row % many) * size;

  /** Puts the zeros behind a row that was written beyond its end. */
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
          const result = out + 2 * row * stride;
          const lines = [pixels, pixels + width, result, result + stride];
          last(...near, numbers, ...lines, count, strength * span);
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
