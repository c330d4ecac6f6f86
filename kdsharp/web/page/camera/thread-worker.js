// A helper thread that restores bands of planes.

import { rows } from "./kernel.js";
import { follow } from "./threads.js";

self.onmessage = ({ data: { module, kernel, places, thread, parts } }) => {
  const { memory } = places;
  // Not `instantiate`: the error of a promise would not reach the page.
  const instance = new WebAssembly.Instance(module, { page: { memory } });
  self.postMessage("ready");
  follow(places, rows(instance, kernel, places, thread), parts);
};
