// A frame of the extension's own origin in somebody's page: only here may WebAssembly run
// whatever the page's policy says. Each video brings a port, which goes to a worker.

addEventListener("message", ({ data, ports }) => {
  if (data !== "kdsharp" || ports.length !== 1) return;
  const worker = new Worker(new URL("engine-worker.js", import.meta.url), {
    type: "module",
  });
  worker.onerror = ({ message }) => ports[0].postMessage({ failed: message });
  worker.postMessage(null, ports);
});
