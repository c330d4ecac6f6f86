// Encodes PNGs. A canvas would premultiply colours by alpha, and is limited in size.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const ROWS = 64;

/** Encodes 8-bit RGBA pixels; alpha is dropped if all pixels are opaque. */
export async function png({ width, height, pixels }) {
  const opaque = isOpaque(pixels);
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8);
  header.setUint8(9, opaque ? 2 : 6);
  const rows = ReadableStream.from
    ? ReadableStream.from(filtered(pixels, width, height, opaque ? 3 : 4))
    : stream(filtered(pixels, width, height, opaque ? 3 : 4));
  const parts = [SIGNATURE, ...chunk("IHDR", new Uint8Array(header.buffer))];
  parts.push(...chunk("sRGB", Uint8Array.of(0)));
  const packed = rows.pipeThrough(new CompressionStream("deflate")).getReader();
  for (let next; !(next = await packed.read()).done; )
    parts.push(...chunk("IDAT", next.value));
  parts.push(...chunk("IEND", new Uint8Array()));
  return new Blob(parts, { type: "image/png" });
}

function isOpaque(pixels) {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return false;
  return true;
}

function stream(pieces) {
  return new ReadableStream({
    pull(to) {
      const { value, done } = pieces.next();
      if (done) to.close();
      else to.enqueue(value);
    },
  });
}

/** Yields rows with the Paeth filter applied. */
function* filtered(pixels, width, height, channels) {
  const length = width * channels;
  let above = new Uint8Array(length + channels);
  let row = new Uint8Array(length + channels);
  for (let top = 0; top < height; top += ROWS) {
    const count = Math.min(ROWS, height - top);
    const out = new Uint8Array(count * (length + 1));
    for (let y = 0, to = 0; y < count; y++) {
      const from = (top + y) * width * 4;
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++)
          row[channels * (x + 1) + c] = pixels[from + 4 * x + c];
      out[to++] = 4;
      for (let i = channels; i < row.length; i++) {
        const a = row[i - channels];
        const b = above[i];
        const c = above[i - channels];
        const toA = Math.abs(b - c);
        const toB = Math.abs(a - c);
        const toC = Math.abs(a + b - 2 * c);
        out[to++] = row[i] - (toA <= toB && toA <= toC ? a : toB <= toC ? b : c);
      }
      [above, row] = [row, above];
    }
    yield out;
  }
}

function chunk(name, content) {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, content.length);
  for (let n = 0; n < 4; n++) head[4 + n] = name.charCodeAt(n);
  let sum = 0xffffffff;
  for (const bytes of [head.subarray(4), content])
    for (let n = 0; n < bytes.length; n++)
      sum = TABLE[(sum ^ bytes[n]) & 255] ^ (sum >>> 8);
  const tail = new Uint8Array(4);
  new DataView(tail.buffer).setUint32(0, (sum ^ 0xffffffff) >>> 0);
  return [head, content, tail];
}
