// Jitsi: `await localTrack.setEffect(await sharpening())`.

import { prepare } from "../sharpen.js";

/** Returns an effect of lib-jitsi-meet; options as those of `open`. */
export async function sharpening(options) {
  // Effects must return their stream at once.
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
