// The worker that restores frames of a track, always the newest one.

import { UserError } from "../words.js";
import { Frames } from "./frames.js";
import { inWorker } from "./ways.js";

const OFTEN = 500;

let frames;
// The canvas for pages that display bitmaps.
let drawn;
const seen = { frames: 0, spent: [], last: null, dropped: 0, reported: 0, shown: 0 };

/** Counts a frame, and the frames that were dropped before it. */
function count(timestamp, rate, spent) {
  if (seen.last !== null && rate) {
    const between = ((timestamp - seen.last) / 1e6) * rate;
    seen.dropped += Math.max(0, Math.round(between) - 1);
  }
  seen.last = timestamp;
  seen.frames += 1;
  seen.spent.push(spent);
  const now = performance.now();
  seen.reported ||= now;
  if (now - seen.reported < OFTEN) return;
  const sorted = seen.spent.toSorted((a, b) => a - b);
  self.postMessage({
    stats: {
      fps: (1000 * (seen.frames - seen.shown)) / (now - seen.reported),
      milliseconds: sorted[sorted.length >> 1],
      frames: seen.frames,
      dropped: seen.dropped,
      size: frames.size,
      by: frames.by,
    },
  });
  Object.assign(seen, { spent: [], reported: now, shown: seen.frames });
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
    // When one end stops, close the other.
    reader.cancel().catch(() => {});
    writer.close().catch(() => {});
    frames.close();
  }
}

/** Creates the streams in the worker, for browsers that do not offer them in pages. */
function own({ track, rate }) {
  const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 });
  const generator = new VideoTrackGenerator();
  self.postMessage({ track: generator.track }, [generator.track]);
  return stream({ readable, writable: generator.writable, rate });
}

async function restored(picture) {
  if (self.VideoFrame && picture instanceof VideoFrame) {
    const made = await frames.restore(picture);
    const canvas = canvasOf(made.displayWidth, made.displayHeight);
    canvas.drawImage(made, 0, 0);
    made.close();
    return drawn.transferToImageBitmap();
  }
  const [width, height] = [picture.width & ~1, picture.height & ~1];
  const canvas = canvasOf(width, height, { willReadFrequently: true });
  canvas.drawImage(picture, 0, 0);
  picture.close();
  const image = canvas.getImageData(0, 0, width, height);
  await frames.colours(image.data, width, height);
  canvas.putImageData(image, 0, 0);
  return drawn.transferToImageBitmap();
}

function canvasOf(width, height, options) {
  if (drawn?.width !== width || drawn.height !== height)
    drawn = new OffscreenCanvas(width, height);
  return drawn.getContext("2d", options);
}

const TASKS = {
  open(message) {
    frames = new Frames(message.network, message.capabilities);
    TASKS.set(message.options);
    if (message.readable) return stream(message);
    if (message.track) return own(message);
  },
  set({ strength, split }) {
    if (strength !== undefined) frames.strength = strength;
    if (split !== undefined) frames.split = split;
  },
  /** Restores one picture of a video element, a VideoFrame or an ImageBitmap. */
  async picture({ picture, timestamp, rate }) {
    const start = performance.now();
    const bitmap = await restored(picture);
    count(timestamp, rate, performance.now() - start);
    self.postMessage({ bitmap }, [bitmap]);
  },
};

self.onmessage = async ({ data }) => {
  try {
    await TASKS[data.task](data);
    const streamed = data.readable || data.track;
    if (data.task === "open" && streamed) self.postMessage({ ended: true });
  } catch (error) {
    // A stopped track is not an error.
    if (/abort|closed|close|inactive/i.test(`${error?.name} ${error?.message}`))
      return self.postMessage({ ended: true });
    self.postMessage({ failed: error.message, sentence: error instanceof UserError });
  }
};

self.postMessage({ inWorker: inWorker() });
