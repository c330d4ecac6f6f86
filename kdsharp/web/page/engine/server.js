// Restores pictures through the server's API, for sites without a runtime.

import { decode } from "../pictures/decode.js";
import { UserError } from "../words.js";
import { Cancelled } from "./client.js";

export class Server {
  #picture;
  #stop = new AbortController();

  open(picture) {
    this.cancel();
    this.#picture = picture;
  }

  async restore(network, strength) {
    const wish = new URLSearchParams({ model: network.name, strength, format: "png" });
    const start = performance.now();
    try {
      const answer = await fetch(new URL(`../api/sharpen?${wish}`, import.meta.url), {
        method: "POST",
        body: this.#picture.file,
        signal: this.#stop.signal,
      });
      if (!answer.ok) throw new UserError(await reason(answer));
      const { pixels } = await decode(await answer.blob(), network.name);
      return { sharp: pixels, seconds: (performance.now() - start) / 1000 };
    } catch (error) {
      if (error.name === "AbortError") throw new Cancelled();
      if (error instanceof TypeError)
        throw new UserError("The server does not respond: is it still running?");
      throw error;
    }
  }

  cancel() {
    this.#stop.abort();
    this.#stop = new AbortController();
  }
}

async function reason(answer) {
  const again = answer.headers.get("Retry-After");
  if (answer.status === 503 && again)
    return `The server is busy: try again in ${again} seconds.`;
  const body = await answer.json().catch(() => ({}));
  return `The server refused: ${body.error ?? answer.statusText}`;
}
