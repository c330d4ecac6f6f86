// Threads: where the host does not isolate the page, the service worker does.

const PATIENCE = 5000;
const TRIED = "kdsharp-isolated";

/** Returns once the page is isolated, or it is known that it will not be. */
export async function isolate() {
  if (self.crossOriginIsolated || !navigator.serviceWorker || !self.isSecureContext) return;
  try {
    const url = new URL("service-worker.js", import.meta.url);
    const ready = navigator.serviceWorker
      .register(url)
      .then(() => navigator.serviceWorker.ready);
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    // Where it is blocked, some browsers never answer.
    if (!(await Promise.race([ready, late]))) return;
    // Once only: a browser may refuse for reasons that a second try does not mend.
    if (sessionStorage.getItem(TRIED)) return;
    sessionStorage.setItem(TRIED, "1");
    location.reload();
    await new Promise(() => {});
  } catch {
    // A private window, say: one thread will do.
  }
}
