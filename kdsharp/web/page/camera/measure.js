// Measures the speed of this machine: every network and backend, at three sizes.

import { live } from "../site.js";
import { SIZES } from "./measured.js";
import { possible } from "./planes.js";

/** Measures rows `{ network, way, by, milliseconds }`; calls `progress` with each. */
export async function measure(site, how, progress) {
  const rows = [];
  for (const network of live(site)) {
    for (const way of possible(network, how)) {
      const row = { network: network.name, way, by: way, milliseconds: [] };
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
      rows.push(row);
      progress(row);
    }
  }
  return rows;
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
