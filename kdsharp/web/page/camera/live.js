// Sharpens a video track.

import { capabilities } from "../engine/capabilities.js";
import * as site_ from "../site.js";
import { UserError } from "../words.js";
import { inPage, way } from "./ways.js";

// Polling interval in milliseconds, because tracks fire no event when they are stopped.
const OFTEN = 500;

/** Restores a video track and returns the new one; `track.stop()` ends it. */
export async function sharpen(track, options = {}) {
  return (await open(track, options)).track;
}

/**
 * Restores a video track; returns `{ track, way, set, stats, close }`. Options, with
 * their defaults: `network` by name (the first of the site), `strength` from 0 to 1.5 (1),
 * `split` from 0 to 1, left of which frames stay as they are (null), `tell(stats)`, called
 * twice per second, `failed(error)`, and `ended()`, called when either track is stopped.
 * `way` is the method by which frames are read and written: see `ways.js`.
 */
export async function open(track, options = {}) {
  check(track);
  const live = new Live(track, options);
  await live.open(await found(options));
  return live;
}

/** Loads everything and returns a function that opens tracks synchronously. */
export async function prepare(options = {}) {
  const known = await found(options);
  return (track) => {
    check(track);
    const live = new Live(track, options);
    live.openNow(known);
    return live;
  };
}

function check(track) {
  if (track?.kind !== "video") throw new UserError("Only video tracks can be sharpened.");
}

/** Resolves the network, and the capabilities to run it with. */
async function found(options) {
  const site = await site_.read();
  const network = site_.find(site, options.network ?? site.networks[0].name);
  if (network.channels !== 1)
    throw new UserError(`${network.name} is not a network for luma, which video requires.`);
  return { network, capabilities: options.capabilities ?? (await capabilities(site)) };
}

class Live {
  #source;
  #worker;
  #options;
  #stats = null;
  #closed = false;
  #timer;
  #video = null;
  // Pending messages from the worker, by name.
  #awaited = {};
  // Rejects the promise of `open` while it is pending.
  #refuse = null;
  track;
  way;

  constructor(source, options) {
    this.#source = source;
    this.#options = options;
  }

  async open(known) {
    const message = this.#start(known);
    const failed = new Promise((_, reject) => (this.#refuse = reject));
    try {
      const inWorker = inPage() || (await Promise.race([this.#heard("inWorker"), failed]));
      this.track = await Promise.race([this.#begin(message, inWorker), failed]);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      this.#refuse = null;
    }
    this.#watch();
  }

  /** Opens without the way that waits for a worker. */
  openNow(known) {
    this.track = this.#begin(this.#start(known), false);
    this.#watch();
  }

  #start({ network, capabilities }) {
    const url = new URL("./live-worker.js", import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = ({ message }) => this.#fail(new Error(message));
    const { strength = 1, split = null } = this.#options;
    const rate = this.#source.getSettings().frameRate;
    return { task: "open", network, capabilities, rate, options: { strength, split } };
  }

  #begin(message, inWorker) {
    this.way = way(this.#source, inWorker);
    const ways = {
      page: () => this.#byStreams(message),
      worker: () => this.#byWorker(message),
      canvas: () => this.#byCanvas(message),
    };
    return ways[this.way]();
  }

  #watch() {
    this.#timer = setInterval(() => {
      const stopped = [this.#source, this.track].some((t) => t.readyState === "ended");
      if (stopped) this.#ended();
    }, OFTEN);
  }

  /** Changes strength or split. */
  set({ strength, split }) {
    this.#worker.postMessage({ task: "set", strength, split });
  }

  /** fps, milliseconds per frame, frames, dropped, size and by; null at first. */
  stats() {
    return this.#stats;
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#video) this.#video.srcObject = null;
    this.#worker.terminate();
    this.track?.stop();
  }

  /** Transfers streams of the page to the worker. */
  #byStreams(message) {
    // With a buffer of one, the stream always delivers the newest frame.
    const track = this.#source;
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 });
    const generator = new MediaStreamTrackGenerator({ kind: "video" });
    const { writable } = generator;
    this.#worker.postMessage({ ...message, readable, writable }, [readable, writable]);
    return generator;
  }

  /** Transfers the track to the worker, which returns a new one. */
  #byWorker(message) {
    const track = this.#source.clone();
    const made = this.#heard("track");
    this.#worker.postMessage({ ...message, track }, [track]);
    return made;
  }

  /** Sends frames of a video element to the worker, which returns bitmaps. */
  #byCanvas(message) {
    this.#worker.postMessage(message);
    const video = document.createElement("video");
    this.#video = video;
    Object.assign(video, { muted: true, playsInline: true });
    video.srcObject = new MediaStream([this.#source]);
    video.play().catch((error) => this.#fail(error));
    const canvas = document.createElement("canvas");
    const shown = canvas.getContext("bitmaprenderer");
    let busy = false;
    this.#show = (bitmap) => {
      const { width, height } = bitmap;
      if (canvas.width !== width || canvas.height !== height)
        Object.assign(canvas, { width, height });
      shown.transferFromImageBitmap(bitmap);
      busy = false;
    };
    const send = async (timestamp) => {
      const picture = self.VideoFrame
        ? new VideoFrame(video, { timestamp })
        : await createImageBitmap(video);
      const task = { task: "picture", picture, timestamp, rate: message.rate };
      this.#worker.postMessage(task, [picture]);
    };
    const next = (now, { mediaTime } = {}) => {
      if (this.#closed) return;
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(next);
      else requestAnimationFrame(next);
      if (busy || !video.videoWidth) return;
      busy = true;
      send(Math.round(1e6 * (mediaTime ?? now / 1000))).catch((error) => this.#fail(error));
    };
    next(performance.now());
    return canvas.captureStream().getVideoTracks()[0];
  }

  #show = () => {};

  #heard(name) {
    return new Promise((resolve) => (this.#awaited[name] = resolve));
  }

  #hear(data) {
    for (const [name, value] of Object.entries(data)) this.#awaited[name]?.(value);
    if (data.stats) {
      this.#stats = data.stats;
      this.#options.tell?.(data.stats);
    } else if (data.bitmap) this.#show(data.bitmap);
    else if (data.ended) this.#ended();
    else if (data.failed) this.#fail(new (data.sentence ? UserError : Error)(data.failed));
  }

  #ended() {
    if (this.#closed) return;
    this.close();
    this.#options.ended?.();
  }

  #fail(error) {
    if (this.#closed) return;
    if (this.#refuse) return this.#refuse(error);
    this.close();
    if (this.#options.failed) this.#options.failed(error);
    else console.error(error);
  }
}
