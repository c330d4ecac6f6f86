// LiveKit: `await localVideoTrack.setProcessor(sharpening())`.

import { open } from "../sharpen.js";

/** Creates a TrackProcessor for livekit-client; takes the options of `open`. */
export function sharpening(options) {
  let live;
  const processor = {
    name: "kdsharp",
    processedTrack: undefined,
    async init({ track }) {
      live = await open(track, options);
      processor.processedTrack = live.track;
    },
    /** Called when another camera is chosen, or the camera is switched on again. */
    async restart(given) {
      await processor.destroy();
      await processor.init(given);
    },
    async destroy() {
      live?.close();
      live = processor.processedTrack = undefined;
    },
  };
  return processor;
}
