// Cross-origin isolation, which threads need: if the host does not send the headers, a
// service worker adds them.

const PATIENCE = 5000;
const TRIED = "kdsharp-isolated";

/** Waits until the page is isolated or it is clear that it cannot be. */
export async function isolate() {
  if (self.crossOriginIsolated || !navigator.serviceWorker || !self.isSecureContext) return;
  try {
    const url = new URL("service-worker.js", import.meta.url);
    const ready = navigator.serviceWorker
      .register(url)
      .then(() => navigator.serviceWorker.ready);
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    // Some browsers never respond if service workers are blocked.
    if (!(await Promise.race([ready, late]))) return;
    // Try only once, to avoid endless reloading.
    if (sessionStorage.getItem(TRIED)) return;
    sessionStorage.setItem(TRIED, "1");
    location.reload();
    await new Promise(() => {});
  } catch {
    // For example in a private window: continue with one thread.
  }
}
