// Jitsi: `await localTrack.setEffect(await sharpening())`.

import { prepare } from "../sharpen.js";

/** Creates an effect for lib-jitsi-meet; takes the options of `open`. */
export async function sharpening(options) {
  // Effects must return their stream synchronously.
  const start = await prepare(options);
  let live;
  return {
    isEnabled: (track) => track.isVideoTrack(),
    startEffect(stream) {
      live = start(stream.getVideoTracks()[0]);
      return new MediaStream([live.track]);
    },
    stopEffect() {
      live?.close();
      live = undefined;
    },
  };
}
