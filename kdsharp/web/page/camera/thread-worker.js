// A helper thread that restores bands of planes.

import { rows } from "./kernel.js";
import { follow } from "./threads.js";

self.onmessage = async ({ data: { module, kernel, places, thread, parts } }) => {
  const { memory } = places;
  const instance = await WebAssembly.instantiate(module, { page: { memory } });
  self.postMessage("ready");
  follow(places, rows(instance, kernel, places, thread), parts);
};
