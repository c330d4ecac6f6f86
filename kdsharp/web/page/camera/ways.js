// How frames leave a track and enter another in this browser: the one feature test.

import { Sentence } from "../words.js";

/**
 * Returns "page" where a page is given streams of frames (Chromium), "worker" where only
 * workers are (Safari; `inWorker` is what a worker found of itself), or "canvas", by
 * frames of a video element, restored beside the page and shown by a canvas (Firefox).
 */
export function way(track, inWorker) {
  if (inPage()) return "page";
  if (inWorker && isTransferable(track)) return "worker";
  const { captureStream } = HTMLCanvasElement.prototype;
  if (captureStream && self.OffscreenCanvas && self.ImageBitmapRenderingContext)
    return "canvas";
  throw new Sentence("This browser hands out no frames of video: take a newer one.");
}

/** Whether this page is given streams of frames. */
export function inPage() {
  return Boolean(self.MediaStreamTrackProcessor && self.MediaStreamTrackGenerator);
}

/** Whether this worker is. */
export function inWorker() {
  return Boolean(self.MediaStreamTrackProcessor && self.VideoTrackGenerator);
}

function isTransferable(track) {
  const copy = track.clone();
  try {
    structuredClone(copy, { transfer: [copy] }).stop();
    return true;
  } catch {
    copy.stop();
    return false;
  }
}
