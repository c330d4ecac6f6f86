// Reads the format and size of a picture from its first bytes.

/**
 * Reads kind, width, height, and whether it is stored as grey; null if it is not a JPG,
 * PNG or WebP.
 */
export function headers(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at, count) => String.fromCharCode(...bytes.subarray(at, at + count));
  try {
    if (text(0, 8) === "\x89PNG\r\n\x1a\n") return png(view);
    if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") return webp(view, text(12, 4));
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpeg(view);
  } catch (error) {
    // Truncated: the decoder will report it.
    if (error instanceof RangeError) return { kind: "", width: 0, height: 0 };
    throw error;
  }
  return null;
}

function png(view) {
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  return { kind: "PNG", width, height, grey: [0, 4].includes(view.getUint8(25)) };
}

function webp(view, chunk) {
  const kind = "WebP";
  const three = (at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  if (chunk === "VP8X") return { kind, width: three(24) + 1, height: three(27) + 1 };
  if (chunk === "VP8L") {
    const bits = view.getUint32(21, true);
    return { kind, width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  const side = (at) => view.getUint16(at, true) & 0x3fff;
  return { kind, width: side(26), height: side(28) };
}

function jpeg(view) {
  for (let at = 2; ; ) {
    const marker = view.getUint16(at);
    const frame = marker >= 0xffc0 && marker <= 0xffcf;
    if (frame && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      return { kind: "JPEG", width, height, grey: view.getUint8(at + 9) === 1 };
    }
    at += 2 + view.getUint16(at + 2);
  }
}
