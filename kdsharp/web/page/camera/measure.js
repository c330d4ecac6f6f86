// Measures the speed of this machine: every network and backend, at three sizes.

import { live } from "../site.js";

export const SIZES = [
  [640, 360],
  [1280, 720],
  [1920, 1080],
];

/** Calls `progress` with each row `{ network, by, milliseconds }`, one time per size. */
export async function measure(site, how, progress) {
  for (const network of live(site)) {
    const ways = network.kernel ? ["kernel"] : [];
    if (site.engine !== "server") ways.push("wasm");
    if (how.by === "webgpu") ways.push("webgpu");
    for (const way of ways) {
      const row = { network: network.name, by: way, milliseconds: [] };
      for (const [width, height] of SIZES) {
        const { by, milliseconds } = await once({
          network,
          way,
          capabilities: how,
          width,
          height,
        });
        if (by) row.by = by;
        row.milliseconds.push(milliseconds);
      }
      progress(row);
    }
  }
}

async function once(message) {
  const url = new URL("./measure-worker.js", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  try {
    return await new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = () => resolve({});
      worker.postMessage(message);
    });
  } finally {
    worker.terminate();
  }
}
