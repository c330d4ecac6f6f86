// A frame of the extension's origin inside the page, where WebAssembly may run whatever
// the page's policy is. Each video sends a port, which is passed to a worker.

addEventListener("message", ({ data, ports }) => {
  if (data !== "kdsharp" || ports.length !== 1) return;
  const worker = new Worker(new URL("engine-worker.js", import.meta.url), {
    type: "module",
  });
  worker.onerror = ({ message }) => ports[0].postMessage({ failed: message });
  worker.postMessage(null, ports);
});
