// Detects how this browser can read frames from a track and write them to another one.

import { UserError } from "../words.js";

/**
 * Chooses the method: "page" if pages have streams of frames (Chromium), "worker" if only
 * workers have them (Safari; `inWorker` is the worker's own finding), or "canvas", which
 * reads frames of a video element and shows the restored ones in a canvas (Firefox).
 */
export function way(track, inWorker) {
  if (inPage()) return "page";
  if (inWorker && isTransferable(track)) return "worker";
  const { captureStream } = HTMLCanvasElement.prototype;
  if (captureStream && self.OffscreenCanvas && self.ImageBitmapRenderingContext)
    return "canvas";
  throw new UserError(
    "This browser does not give access to video frames: use a newer one.",
  );
}

/** Whether streams of frames are available in this page. */
export function inPage() {
  return Boolean(self.MediaStreamTrackProcessor && self.MediaStreamTrackGenerator);
}

/** Whether streams of frames are available in this worker. */
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
