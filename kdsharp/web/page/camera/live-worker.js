// Beside the page: frames in, restored frames out, the newest first.

import { Sentence } from "../words.js";
import { Frames } from "./frames.js";

const OFTEN = 500;

let frames;
const seen = { frames: 0, spent: [], last: null, dropped: 0, told: 0, shown: 0 };

/** Counts a frame; what came between it and the one before was left out. */
function count(timestamp, rate, spent) {
  if (seen.last !== null && rate) {
    const between = ((timestamp - seen.last) / 1e6) * rate;
    seen.dropped += Math.max(0, Math.round(between) - 1);
  }
  seen.last = timestamp;
  seen.frames += 1;
  seen.spent.push(spent);
  const now = performance.now();
  seen.told ||= now;
  if (now - seen.told < OFTEN) return;
  const sorted = seen.spent.toSorted((a, b) => a - b);
  self.postMessage({
    stats: {
      fps: (1000 * (seen.frames - seen.shown)) / (now - seen.told),
      milliseconds: sorted[sorted.length >> 1],
      frames: seen.frames,
      dropped: seen.dropped,
      size: frames.size,
      by: frames.by,
    },
  });
  Object.assign(seen, { spent: [], told: now, shown: seen.frames });
}

async function stream({ readable, writable, rate }) {
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  try {
    for (let next; !(next = await reader.read()).done; ) {
      const { timestamp } = next.value;
      const start = performance.now();
      const made = await frames.restore(next.value);
      count(timestamp, rate, performance.now() - start);
      await writer.write(made);
    }
  } finally {
    // Whoever stopped one end has no use for the other.
    reader.cancel().catch(() => {});
    writer.close().catch(() => {});
    frames.close();
  }
}

const TASKS = {
  open(message) {
    frames = new Frames(message.network, message.capabilities);
    TASKS.set(message.options);
    if (message.readable) return stream(message);
  },
  set({ strength, split }) {
    if (strength !== undefined) frames.strength = strength;
    if (split !== undefined) frames.split = split;
  },
  /** Of browsers without streams of frames, one picture as a canvas gives it. */
  async picture({ pixels, width, height, timestamp, rate }) {
    const start = performance.now();
    await frames.colours(pixels, width, height);
    count(timestamp, rate, performance.now() - start);
    self.postMessage({ pixels, width, height }, [pixels.buffer]);
  },
};

self.onmessage = async ({ data }) => {
  try {
    await TASKS[data.task](data);
    if (data.task === "open" && data.readable) self.postMessage({ ended: true });
  } catch (error) {
    // A track that was stopped is no failure.
    if (/abort|closed|close|inactive/i.test(`${error?.name} ${error?.message}`))
      return self.postMessage({ ended: true });
    self.postMessage({ failed: error.message, sentence: error instanceof Sentence });
  }
};
