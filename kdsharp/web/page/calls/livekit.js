// LiveKit: `await localVideoTrack.setProcessor(sharpening())`.

import { open } from "../sharpen.js";

/** Returns a TrackProcessor of livekit-client; options as those of `open`. */
export function sharpening(options) {
  let live;
  const processor = {
    name: "kdsharp",
    processedTrack: undefined,
    async init({ track }) {
      live = await open(track, options);
      processor.processedTrack = live.track;
    },
    /** Another camera was chosen, or the one there was is shown again. */
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
