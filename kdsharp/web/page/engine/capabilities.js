// Detects what this browser can compute with.

const MOST_THREADS = 8;

/**
 * Chooses WebGPU if available, otherwise WebAssembly. `?by=wasm` and `?by=webgpu` in the
 * address override the choice, to compare the two.
 */
export async function capabilities(site) {
  const threads = self.crossOriginIsolated
    ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS)
    : 1;
  const wish = new URLSearchParams(location.search).get("by");
  const found = wish !== "wasm" && (await adapter(wish === "webgpu"));
  const gpu = Boolean(found);
  // Threads and the GPU are for the webcam, which is never sent to the server.
  if (site.engine === "server")
    return { by: "server", threads, gpu, description: "on the server" };
  if (gpu) {
    const name = [found.info?.vendor, found.info?.architecture].filter(Boolean).join(" ");
    return { by: "webgpu", threads, gpu, description: `WebGPU${name ? ` (${name})` : ""}` };
  }
  const cores = threads === 1 ? "1 thread" : `${threads} threads`;
  const lacking = wish === "webgpu" ? "no WebGPU: " : "";
  return { by: "wasm", threads, gpu, description: `${lacking}WebAssembly, ${cores}` };
}

async function adapter(evenSlow) {
  try {
    const found = await navigator.gpu?.requestAdapter();
    // Software adapters are slower than WebAssembly.
    const slow =
      found?.info?.isFallbackAdapter || /swiftshader/i.test(found?.info?.architecture);
    return slow && !evenSlow ? null : found;
  } catch {
    return null;
  }
}
