// A stream kept as a file.

import { Sentence } from "../words.js";

const KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** Begins to record and returns what ends it, which returns the file. */
export function record(stream) {
  const mimeType =
    self.MediaRecorder && KINDS.find((k) => MediaRecorder.isTypeSupported(k));
  if (!mimeType) throw new Sentence("This browser does not record.");
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
