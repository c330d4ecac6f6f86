// Calls of a page's own (RTCPeerConnection): what is sent, or what is received and shown.

import { open } from "../sharpen.js";

/** Sends the sender's track restored; `close()` of what it returns sends it as it was. */
export async function sharpenSender(sender, options) {
  const source = sender.track;
  const live = await open(source, options);
  await sender.replaceTrack(live.track);
  return {
    live,
    async close() {
      await sender.replaceTrack(source);
      live.close();
    },
  };
}

/**
 * Shows the stream that a video element shows restored, its sound untouched; `close()` of
 * what it returns shows it as it was. Elements of LiveKit's and Jitsi's `track.attach()`
 * are such, too.
 */
export async function sharpenElement(element, options) {
  const stream = element.srcObject;
  const live = await open(stream.getVideoTracks()[0], options);
  element.srcObject = new MediaStream([live.track, ...stream.getAudioTracks()]);
  return {
    live,
    close() {
      element.srcObject = stream;
      live.close();
    },
  };
}
