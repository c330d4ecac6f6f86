// For pages that use RTCPeerConnection: sharpens what is sent, or what is received.

import { open } from "../sharpen.js";

/** Sends the restored track of an RTCRtpSender; `close()` sends the original again. */
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
 * Restores the stream that a video element shows, with its audio unchanged; `close()`
 * shows the original again. This also works for the elements that `track.attach()` of
 * LiveKit and Jitsi returns.
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
