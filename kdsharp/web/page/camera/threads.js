// Distributes the bands of a plane to threads, each of which takes the next free one.

// Offsets in the shared control memory.
const JOB = 0;
const NEXT = 1;
const DONE = 2;
const BLACK = 3;
const SPAN = 4;
const STRENGTH = 5;

// More bands balance the load better; fewer have less overlap at their borders.
const BANDS_PER_THREAD = 3;
const LEAST_ROWS = 24;

/** Divides rows (of two lines each) into bands. */
export function bands(rows, threads) {
  const count = threads === 1 ? 1 : threads * BANDS_PER_THREAD;
  const size = Math.max(Math.ceil(rows / count), LEAST_ROWS);
  return { size, count: Math.ceil(rows / size), rows };
}

/** Processes bands of the current plane until none is left. */
function work({ memory, control }, run, parts) {
  const numbers = new Int32Array(memory.buffer, control, 8);
  const floats = new Float32Array(memory.buffer, control, 8);
  for (;;) {
    const band = Atomics.add(numbers, NEXT, 1);
    if (band >= parts.count) return;
    // Read after taking a band, so that they belong to its plane.
    const [black, span, strength] = [numbers[BLACK], floats[SPAN], floats[STRENGTH]];
    const from = band * parts.size;
    run({ from, to: Math.min(from + parts.size, parts.rows), black, span, strength });
    Atomics.add(numbers, DONE, 1);
    Atomics.notify(numbers, DONE);
  }
}

/** Starts a plane, works on it, and returns when all its bands are done. */
export function lead(places, run, parts, { black, span, strength }) {
  const numbers = new Int32Array(places.memory.buffer, places.control, 8);
  const floats = new Float32Array(places.memory.buffer, places.control, 8);
  [numbers[BLACK], floats[SPAN], floats[STRENGTH]] = [black, span, strength];
  Atomics.store(numbers, DONE, 0);
  Atomics.store(numbers, NEXT, 0);
  Atomics.add(numbers, JOB, 1);
  Atomics.notify(numbers, JOB);
  work(places, run, parts);
  for (let done; (done = Atomics.load(numbers, DONE)) < parts.count; )
    Atomics.wait(numbers, DONE, done);
}

/** Works on every plane that is started, in an endless loop. */
export function follow(places, run, parts) {
  const numbers = new Int32Array(places.memory.buffer, places.control, 8);
  let job = 0;
  for (;;) {
    // The first plane's bands, too, are free only once it has started.
    Atomics.wait(numbers, JOB, job);
    job = Atomics.load(numbers, JOB);
    work(places, run, parts);
  }
}
