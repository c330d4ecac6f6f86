// What a person is told; every other error is a fault of the page's own.

export class Sentence extends Error {}

/** Returns what went wrong, in words. */
export function told(error) {
  if (error instanceof Sentence) return error.message;
  if (error instanceof RangeError || /memory|allocat/i.test(error?.message))
    return "This browser has not enough memory for that: try a smaller picture.";
  return `That did not work (${error?.message ?? error}).`;
}

/** Returns 1234567 as "1.2". */
export const megapixels = (width, height) => ((width * height) / 1e6).toFixed(1);
