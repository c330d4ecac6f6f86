// Restores the pictures that arrive at a port, one after another.

import { Frames } from "./page/camera/frames.js";
import * as site from "./page/site.js";
import { describe } from "./page/words.js";

self.onmessage = async ({ ports: [port] }) => {
  const [network] = (await site.read()).networks;
  // Threads require an isolated page, which the page around this frame need not be.
  const frames = new Frames(network, { by: "wasm", threads: 1 });
  port.onmessage = async ({ data }) => {
    const { close, jumped, pixels, width, height, strength, split } = data;
    if (close) return self.close();
    try {
      if (jumped) frames.forget();
      Object.assign(frames, { strength, split });
      const start = performance.now();
      await frames.colours(pixels, width, height);
      const milliseconds = performance.now() - start;
      port.postMessage({ pixels, width, height, milliseconds }, [pixels.buffer]);
    } catch (error) {
      port.postMessage({ failed: describe(error) });
    }
  };
};
