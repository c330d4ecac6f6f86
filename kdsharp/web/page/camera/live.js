// A track in, a sharper track out.

import { capabilities } from "../engine/capabilities.js";
import * as site_ from "../site.js";
import { Sentence } from "../words.js";

/** Returns the video track restored; `track.stop()` ends it. */
export async function sharpen(track, options = {}) {
  return (await open(track, options)).track;
}

/**
 * Returns `{ track, set, stats, close }`. Options: `network` by name (the site's first),
 * `strength` from 0 to 1.5 (1), `split` from 0 to 1, left of which a frame stays as it
 * was (null), `tell(stats)`, called twice a second, `failed(error)`.
 */
export async function open(track, options = {}) {
  if (track?.kind !== "video") throw new Sentence("Only tracks of video are sharpened.");
  const site = await site_.read();
  const network = site_.find(site, options.network ?? site.networks[0].name);
  if (network.channels !== 1)
    throw new Sentence(`${network.name} is no network of luma, which video needs.`);
  const live = new Live(track, options);
  await live.open(network, options.capabilities ?? (await capabilities(site)));
  return live;
}

class Live {
  #source;
  #worker;
  #options;
  #stats = null;
  #end = () => {};
  track;

  constructor(source, options) {
    this.#source = source;
    this.#options = options;
  }

  async open(network, how) {
    const url = new URL("./live-worker.js", import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => this.#fail(new Error(event.message));
    const { strength = 1, split = null } = this.#options;
    const rate = this.#source.getSettings().frameRate;
    const message = { task: "open", network, capabilities: how, rate };
    message.options = { strength, split };
    if (self.MediaStreamTrackProcessor && self.MediaStreamTrackGenerator) {
      // A buffer of one holds the newest frame, and none that is older.
      const processor = new MediaStreamTrackProcessor({
        track: this.#source,
        maxBufferSize: 1,
      });
      const generator = new MediaStreamTrackGenerator({ kind: "video" });
      const [{ readable }, { writable }] = [processor, generator];
      this.#worker.postMessage({ ...message, readable, writable }, [readable, writable]);
      this.track = generator;
      return;
    }
    this.#worker.postMessage(message);
    await this.#byCanvas(rate);
  }

  /** Changes strength or split while it runs. */
  set({ strength, split }) {
    this.#worker.postMessage({ task: "set", strength, split });
  }

  /** Returns fps, milliseconds a frame, frames, dropped, size and by; null at first. */
  stats() {
    return this.#stats;
  }

  close() {
    this.#end();
    this.#worker.terminate();
    this.track?.stop();
  }

  /** Takes the way of browsers that hand out no frames: through canvases. */
  async #byCanvas(rate) {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true });
    video.srcObject = new MediaStream([this.#source]);
    await video.play();
    const canvas = document.createElement("canvas");
    const [from, to] = [document.createElement("canvas"), canvas].map((element) =>
      element.getContext("2d", { willReadFrequently: element !== canvas }),
    );
    let [busy, ended] = [false, false];
    const next = (now, { mediaTime } = {}) => {
      if (ended) return;
      if (!busy && video.videoWidth) {
        const [width, height] = [video.videoWidth & ~1, video.videoHeight & ~1];
        for (const { canvas: each } of [from, to])
          if (each.width !== width || each.height !== height)
            Object.assign(each, { width, height });
        from.drawImage(video, 0, 0);
        const pixels = from.getImageData(0, 0, width, height).data;
        const timestamp = 1e6 * (mediaTime ?? now / 1000);
        const task = { task: "picture", pixels, width, height, timestamp, rate };
        this.#worker.postMessage(task, [pixels.buffer]);
        busy = true;
      }
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(next);
      else requestAnimationFrame(next);
    };
    this.#picture = ({ pixels, width, height }) => {
      to.putImageData(new ImageData(pixels, width, height), 0, 0);
      busy = false;
    };
    this.#end = () => {
      ended = true;
      video.srcObject = null;
    };
    next(performance.now());
    [this.track] = canvas.captureStream().getVideoTracks();
  }

  #picture = () => {};

  #hear(data) {
    if (data.stats) {
      this.#stats = data.stats;
      this.#options.tell?.(data.stats);
    } else if (data.pixels) this.#picture(data);
    else if (data.ended) this.close();
    else this.#fail(new (data.sentence ? Sentence : Error)(data.failed));
  }

  #fail(error) {
    this.close();
    if (this.#options.failed) this.#options.failed(error);
    else console.error(error);
  }
}
