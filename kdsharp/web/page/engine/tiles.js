// Splits pictures into tiles that join without seams: they overlap by the network's
// receptive field and are aligned to its grid.

const up = (number, multiple) => Math.ceil(number / multiple) * multiple;

/** The spans to read and to keep along one axis, and the padded length. */
export function along(size, wish, radius, multiple) {
  const whole = up(size, multiple);
  const overlap = up(radius, multiple);
  // At least half of a tile is not overlap.
  const side = Math.max(up(wish, multiple), 4 * overlap);
  if (whole <= side) return [{ from: 0, to: size, first: 0, last: size, length: whole }];
  const found = [];
  for (let first = 0; first < size; ) {
    const from = Math.min(Math.max(first - overlap, 0), whole - side);
    const stop = from + side;
    const last = stop >= whole ? size : stop - overlap;
    found.push({ from, to: Math.min(stop, size), first, last, length: side });
    first = last;
  }
  return found;
}

/** The tiles of a picture, row by row. */
export function cut(height, width, side, radius, multiple) {
  const columns = along(width, side, radius, multiple);
  return along(height, side, radius, multiple).flatMap((row) =>
    columns.map((column) => ({ row, column })),
  );
}

/** Maps a coordinate beyond `size` to the one it mirrors. */
export const mirrored = (place, size) => {
  const there = place % (2 * size);
  return Math.min(there, 2 * size - 1 - there);
};
