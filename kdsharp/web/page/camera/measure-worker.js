// The worker that measures the time to restore planes with one backend.

import { STUDIO, ways } from "./planes.js";

const LEAST = 5;
const MOST = 40;
const SECONDS = 2;

self.onmessage = async ({ data: { network, way, capabilities, width, height } }) => {
  try {
    const plane = await ways[way](network, width, height, capabilities);
    for (let n = 0; n < plane.input.length; n++)
      plane.input[n] = (n * 7 + (n >> 7) * 13) % 256;
    const times = [];
    // Warm up.
    await plane.run({ ...STUDIO, strength: 1 });
    const end = performance.now() + 1000 * SECONDS;
    while (times.length < LEAST || (performance.now() < end && times.length < MOST)) {
      const start = performance.now();
      await plane.run({ ...STUDIO, strength: 1 });
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    self.postMessage({ by: plane.by, milliseconds: times[times.length >> 1] });
  } catch (error) {
    self.postMessage({ failed: error.message });
  }
};
