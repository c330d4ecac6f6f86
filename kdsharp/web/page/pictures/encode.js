// Encodes pixels to a file in a worker.

import { UserError } from "../words.js";

/** Encodes a picture as png, jpeg or webp. */
export function encode(picture, kind) {
  const worker = new Worker(new URL("./encode-worker.js", import.meta.url), {
    type: "module",
  });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { file, failed, sentence } }) =>
      file ? resolve(file) : reject(new (sentence ? UserError : Error)(failed));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ picture, kind });
  }).finally(() => worker.terminate());
}

/** Downloads a file under that name. */
export function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
