// The interface to the worker that restores pictures.

import { UserError } from "../words.js";

export class Cancelled extends Error {}

/** Restores one picture after another in a worker; cancelling terminates the worker. */
export class Engine {
  #capabilities;
  #worker;
  #picture;
  #waiting = new Map();
  #count = 0;

  constructor(capabilities) {
    this.#capabilities = capabilities;
  }

  /** Sets the picture to restore. */
  open(picture) {
    this.cancel();
    this.#picture = picture;
  }

  /** Restores the picture; returns its pixels, and the seconds unless it was cached. */
  async restore(network, strength, progress) {
    if (!this.#worker) await this.#begin();
    return this.#ask({ task: "restore", network, strength }, progress);
  }

  /** Cancels everything in progress. */
  cancel() {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(new Cancelled());
    this.#waiting.clear();
  }

  async #begin() {
    const url = new URL("./worker.js", import.meta.url);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      const error = new Error(event.message || "the worker did not start");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    this.#ask({ task: "begin", capabilities: this.#capabilities });
    this.#ask({ task: "picture", picture: this.#picture });
  }

  #ask(message, progress = () => {}) {
    const id = ++this.#count;
    this.#worker.postMessage({ ...message, id });
    const answer = new Promise((resolve, reject) =>
      this.#waiting.set(id, { resolve, reject, progress }),
    );
    // Failures of messages that nobody awaits show up in the next one.
    answer.catch(() => {});
    return answer;
  }

  #hear({ id, part, done, failed }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (part !== undefined) return waiting.progress(part);
    this.#waiting.delete(id);
    if (done) waiting.resolve(done);
    else waiting.reject(new (failed.sentence ? UserError : Error)(failed.message));
  }
}
