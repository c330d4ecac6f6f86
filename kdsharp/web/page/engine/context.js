// The gains of a network with a context. They depend on the whole picture, through the
// means of absolute values and of fourth powers of a few strided filters.

const STRIDE = 8;

/** Loads the parameters of a context from a file. */
export async function open(context) {
  const answer = await fetch(context.url);
  return new Context(context, new Float32Array(await answer.arrayBuffer()));
}

export class Context {
  #size;
  #look;
  #hidden;
  #gains;
  // The last kernel of the network's own WebAssembly, and its steps.
  last;
  scale;

  constructor({ size, filters, hidden, gains, scale }, numbers) {
    let at = 0;
    const take = (count) => numbers.subarray(at, (at += count));
    this.#size = size;
    // The weights of each filter are contiguous here.
    this.#look = transposed(take(size * size * filters), filters);
    this.#hidden = { kernel: take(2 * filters * hidden), bias: take(hidden) };
    this.#gains = { kernel: take(hidden * gains), bias: take(gains) };
    this.last = numbers.subarray(at);
    this.scale = scale;
  }

  /** Computes the gains of a picture whose luma is written by `line(y, out, marks)`.
   *
   * With `marks` it writes NaN for transparent pixels. Only one row of windows in `every`
   * is used. */
  gains(width, height, line, every = 1) {
    const [sums, count] = this.#sums(width, height, line, every, true);
    // If no window is entirely visible, use all windows.
    const [all, many] = count
      ? [sums, count]
      : this.#sums(width, height, line, every, false);
    const filters = this.#look.length;
    const features = Array.from(all, (sum, n) =>
      Math.log(n < filters ? sum / many + 3e-4 : Math.sqrt(Math.sqrt(sum / many + 1e-14))),
    );
    const hidden = dense(
      features.map((x) => x + 3),
      this.#hidden,
    ).map((x) => (x >= 0 ? x : 0.1 * x));
    return dense(hidden, this.#gains).map((x) => 2 / (1 + Math.exp(-x)));
  }

  #sums(width, height, line, every, marks) {
    const size = this.#size;
    const filters = this.#look;
    // The border of smaller pictures is repeated.
    const across = Math.max(width, size);
    const rows = Array.from({ length: size }, () => new Float32Array(across));
    const window = new Float32Array(size * size);
    const seen = new Float32Array(filters.length);
    const sums = new Float64Array(2 * filters.length);
    let count = 0;
    for (let top = 0; top + size <= Math.max(height, size); top += STRIDE * every) {
      rows.forEach((row, n) => {
        line(Math.min(top + n, height - 1), row, marks);
        row.fill(row[width - 1], width);
      });
      for (let left = 0; left + size <= across; left += STRIDE) {
        for (let n = 0; n < size; n++)
          for (let m = 0; m < size; m++) window[n * size + m] = rows[n][left + m];
        for (let n = 0; n < seen.length; n++) seen[n] = product(filters[n], window);
        if (Number.isNaN(seen[0])) continue;
        count += 1;
        for (let n = 0; n < seen.length; n++) {
          const square = seen[n] * seen[n];
          sums[n] += Math.abs(seen[n]);
          sums[filters.length + n] += square * square;
        }
      }
    }
    return [sums, count];
  }
}

function product(a, b) {
  // Four independent sums, for instruction-level parallelism.
  let [w, x, y, z] = [0, 0, 0, 0];
  for (let n = 0; n < a.length; n += 4) {
    w += a[n] * b[n];
    x += a[n + 1] * b[n + 1];
    y += a[n + 2] * b[n + 2];
    z += a[n + 3] * b[n + 3];
  }
  return w + x + y + z;
}

function dense(x, { kernel, bias }) {
  const found = Float32Array.from(bias);
  for (let n = 0; n < x.length; n++)
    for (let m = 0; m < found.length; m++) found[m] += x[n] * kernel[n * found.length + m];
  return found;
}

function transposed(numbers, columns) {
  return Array.from({ length: columns }, (_, n) =>
    numbers.filter((_, at) => at % columns === n),
  );
}
