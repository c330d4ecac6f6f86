// Runs networks with onnxruntime-web.

import { UserError } from "../words.js";

const RUNTIME = new URL("../runtime/", import.meta.url).href;
const FILES = { wasm: "ort.wasm.min.mjs", webgpu: "ort.webgpu.min.mjs" };

let runtime;

async function load(by, threads) {
  try {
    runtime ??= await import(RUNTIME + FILES[by]);
  } catch (error) {
    throw new UserError(
      `onnxruntime-web could not be loaded (${error.message}): reload the page.`,
    );
  }
  runtime.env.wasm.wasmPaths = RUNTIME;
  runtime.env.wasm.numThreads = threads;
  runtime.env.logLevel = "error";
  return runtime;
}

/** Loads a network as a function from float32 `[1, height, width, channels]` to the same.
 *
 * A network with a context also takes gains. */
export async function open({ url, channels }, { by, threads }) {
  const ort = await load(by, threads);
  const session = await ort.InferenceSession.create(url, {
    executionProviders: [by],
    logSeverityLevel: 3,
  });
  return async (x, height, width, gains) => {
    const blurred = new ort.Tensor("float32", x, [1, height, width, channels]);
    const given = { blurred };
    if (gains) given.gains = new ort.Tensor("float32", gains, [1, gains.length, 1, 1]);
    const { restored } = await session.run(given);
    return restored.getData ? await restored.getData() : restored.data;
  };
}
