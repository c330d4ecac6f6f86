// Records a stream to a file.

import { UserError } from "../words.js";

const KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** Starts recording; returns a function that stops it and returns the file. */
export function record(stream) {
  const mimeType =
    self.MediaRecorder && KINDS.find((k) => MediaRecorder.isTypeSupported(k));
  if (!mimeType) throw new UserError("This browser cannot record.");
  const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond: 6e6 });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start(1000);
  return async () => {
    if (recorder.state !== "inactive") recorder.stop();
    await stopped;
    return new Blob(parts, { type: mimeType.split(";")[0] });
  };
}
