// Threads: where the host does not isolate the page, the service worker does.

const TRIED = "kdsharp-isolated";

/** Returns once the page is isolated, or it is known that it will not be. */
export async function isolate() {
  if (self.crossOriginIsolated || !navigator.serviceWorker || !self.isSecureContext)
    return;
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", import.meta.url));
    await navigator.serviceWorker.ready;
    // Once only: a browser may refuse for reasons that a second try does not mend.
    if (sessionStorage.getItem(TRIED)) return;
    sessionStorage.setItem(TRIED, "1");
    location.reload();
    await new Promise(() => {});
  } catch {
    // A private window, say: one thread will do.
  }
}
