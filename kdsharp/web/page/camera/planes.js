// Restorers of luma planes: write a plane to `input` (chroma may follow), then
// `run(levels)` returns the restored plane with lines `stride` apart. Levels are `black`,
// `span` to white, and `strength`. For networks with memory, consecutive planes form a
// sequence, and `forget()` starts a new one.

import { open as openContext } from "../engine/context.js";
import { open as openSession } from "../engine/sessions.js";
import { GainTracker } from "./gain-tracker.js";
import { gainScaler, layout, rows } from "./kernel.js";
import { fastest } from "./measured.js";
import { recall } from "./recall.js";
import { bands, lead } from "./threads.js";

const PAGE = 65536;
const TRIES = 3;

export const STUDIO = { black: 16, span: 219 };
export const FULL = { black: 0, span: 255 };

/** The backends that can restore planes here, dedicated ones first. */
export function possible({ kernel }, { by, gpu }) {
  const own = kernel ? ["kernel", ...(gpu ? ["shader"] : [])] : [];
  const others = by === "server" ? [] : ["wasm", ...(gpu ? ["webgpu"] : [])];
  return [...own, ...others];
}

/** Opens the fastest backend for planes of that (even) size. */
export async function open(network, width, height, capabilities) {
  const measured = fastest(network, width, height, capabilities.measured);
  if (measured) return ways[measured](network, width, height, capabilities);
  const { kernel, shader } = ways;
  if (!network.kernel) return ways[capabilities.by](network, width, height, capabilities);
  const found = [await kernel(network, width, height, capabilities)];
  if (!capabilities.gpu) return found[0];
  // The speed of the GPU is unknown, so try both and keep the faster one.
  try {
    found.push(await shader(network, width, height, capabilities));
    const times = [];
    for (const plane of found) times.push(await time(plane));
    if (times[1] < times[0]) found.reverse();
  } catch (error) {
    console.warn(error);
  }
  found[1]?.close();
  return found[0];
}

async function time(plane) {
  let least = Infinity;
  for (let n = 0; n < TRIES; n++) {
    const start = performance.now();
    await plane.run({ ...STUDIO, strength: 1 });
    least = Math.min(least, performance.now() - start);
  }
  plane.forget?.();
  return least;
}

const computing = {
  /** The network's own WebAssembly module, in 16-bit arithmetic. */
  async kernel({ kernel, context }, width, height, { threads }) {
    const module = await WebAssembly.compileStreaming(fetch(kernel.url));
    const places = layout(kernel, width, height, threads, context);
    const pages = Math.ceil(places.bytes / PAGE);
    // The maximum must match the declaration in the module.
    places.memory = new WebAssembly.Memory({
      initial: pages,
      maximum: PAGE,
      shared: true,
    });
    const { memory, frame, out, stride } = places;
    const parts = bands(height / 2, threads);
    const starting = Array.from({ length: threads - 1 }, (_, n) =>
      help({ module, kernel, places, thread: n + 1, parts }),
    );
    const instance = await WebAssembly.instantiate(module, { page: { memory } });
    const run = rows(instance, kernel, places, 0);
    const restored = new Uint8Array(memory.buffer, out, stride * height);
    const input = new Uint8Array(memory.buffer, frame, 2 * width * height);
    const look = context && (await openContext(context));
    const tracker = context && new GainTracker(look, width, height);
    const scaleByGains = context && gainScaler(kernel, places, look);
    const helpers = (await Promise.all(starting)).filter(Boolean);
    const working = helpers.length ? `, ${helpers.length + 1} threads` : "";
    return {
      by: `WebAssembly, 16 bits${working}`,
      input,
      stride,
      tracker,
      async run(levels) {
        // All threads are idle here.
        if (context) scaleByGains(tracker.next(input, levels));
        lead(places, run, parts, levels);
        return restored;
      },
      close() {
        for (const worker of helpers) worker.terminate();
      },
    };
  },
  /** By a WebGPU shader of its own, in floats. */
  async shader({ kernel, context }, width, height) {
    const { open: openShader } = await import("./shader.js");
    const { run, close } = await openShader(kernel, width, height);
    const tracker = context && new GainTracker(await openContext(context), width, height);
    const input = new Uint8Array(2 * width * height);
    return {
      by: "WebGPU, its own shader",
      input,
      stride: width,
      tracker,
      run: (levels) => run(input, levels, tracker?.next(input, levels)),
      close,
    };
  },
  wasm: webAssembly,
  webgpu: (network, width, height, capabilities) =>
    session(
      network,
      width,
      height,
      { ...capabilities, by: "webgpu" },
      "onnxruntime, WebGPU",
    ),
  // Video is never sent to the server.
  server: webAssembly,
};

/**
 * Starts a helper thread. It loads only while this thread is idle, so wait for it. Where it
 * fails, there is none: the others do its work.
 */
function help(job) {
  const worker = new Worker(new URL("./thread-worker.js", import.meta.url), {
    type: "module",
  });
  return new Promise((resolve) => {
    worker.onmessage = () => resolve(worker);
    worker.onerror = () => resolve(null);
    worker.postMessage(job);
  });
}

/** The backends by name: functions that open planes of a size. */
export const ways = Object.fromEntries(
  Object.entries(computing).map(([name, way]) => [name, remembering(way)]),
);

function remembering(way) {
  return async (network, width, height, capabilities) => {
    const plane = await way(network, width, height, capabilities);
    return network.memory ? recall(plane, network.memory, width, height) : plane;
  };
}

function webAssembly(network, width, height, capabilities) {
  const wasm = { ...capabilities, by: "wasm" };
  return session(network, width, height, wasm, "onnxruntime, WebAssembly");
}

async function session(network, width, height, capabilities, by) {
  const network_ = await openSession(network, capabilities);
  const { context } = network;
  const tracker = context && new GainTracker(await openContext(context), width, height);
  const pixels = width * height;
  const input = new Uint8Array(2 * pixels);
  const blurred = new Float32Array(pixels);
  // Uint8ClampedArray rounds and clips.
  const restored = new Uint8ClampedArray(pixels);
  return {
    by,
    input,
    stride: width,
    tracker,
    async run({ black, span, strength }) {
      for (let n = 0; n < pixels; n++) blurred[n] = (input[n] - black) / span;
      const gains = tracker?.next(input, { black, span }) ?? undefined;
      const sharp = await network_(blurred, height, width, gains);
      const times = strength * span;
      for (let n = 0; n < pixels; n++)
        restored[n] = input[n] + times * (sharp[n] - blurred[n]);
      return restored;
    },
    close() {},
  };
}
