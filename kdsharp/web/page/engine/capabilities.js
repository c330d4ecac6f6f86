// What this browser can compute with.

const MOST_THREADS = 8;

/**
 * Returns what runs networks here: WebGPU where there is one, else WebAssembly.
 * `?by=wasm` and `?by=webgpu` in the address decide otherwise, to compare the two.
 */
export async function capabilities(site) {
  const threads = self.crossOriginIsolated
    ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS)
    : 1;
  // Threads are for cameras, whose pictures stay here.
  if (site.engine === "server") return { by: "server", threads, told: "on the server" };
  const wish = new URLSearchParams(location.search).get("by");
  const gpu = wish !== "wasm" && (await adapter(wish === "webgpu"));
  if (gpu) {
    const name = [gpu.info?.vendor, gpu.info?.architecture].filter(Boolean).join(" ");
    return { by: "webgpu", threads, told: `WebGPU${name ? ` (${name})` : ""}` };
  }
  const cores = threads === 1 ? "1 thread" : `${threads} threads`;
  const lacking = wish === "webgpu" ? "no WebGPU here: " : "";
  return { by: "wasm", threads, told: `${lacking}WebAssembly, ${cores}` };
}

async function adapter(evenSlow) {
  try {
    const found = await navigator.gpu?.requestAdapter();
    // One that a processor plays is slower than WebAssembly.
    const slow =
      found?.info?.isFallbackAdapter || /swiftshader/i.test(found?.info?.architecture);
    return slow && !evenSlow ? null : found;
  } catch {
    return null;
  }
}
