// Networks with memory: draws each restored plane towards the restored plane before, where
// the two are near. The first plane of a scene has none before.

import { blocks, isOther } from "./scenes.js";

const TOP = 255;

/** Adds the memory to a restorer of planes; `forget()` starts a new sequence. */
export function recall(plane, memory, width, height) {
  const before = new Uint8Array(plane.stride * height);
  // Blocks of the plane before, and its levels.
  let coarse = null;
  let known = {};
  return {
    ...plane,
    async run(levels) {
      const now = blocks(plane.input, width, height, levels);
      const equal = ["black", "span", "strength"].every((x) => levels[x] === known[x]);
      const keeps = coarse && equal && !isOther(now, coarse);
      // A run that fails leaves nothing to remember.
      coarse = null;
      const restored = await plane.run(levels);
      if (keeps) {
        const share = memory.share * (plane.tracker?.active ?? 1);
        steady(restored, before, stepsOf(share, memory.reach * levels.span));
      } else before.set(restored);
      [coarse, known] = [now, levels];
      return restored;
    },
    forget() {
      coarse = null;
    },
  };
}

/** Changes both planes to the restored one, drawn towards the one before. */
function steady({ buffer, byteOffset }, before, steps) {
  // Nothing needs clipping, and arrays that clip are slower.
  const restored = new Uint8Array(buffer, byteOffset, before.length);
  for (let n = 0; n < before.length; n++) {
    const value = restored[n] + steps[before[n] - restored[n] + TOP];
    restored[n] = value;
    before[n] = value;
  }
}

/** The steps in whole levels for every difference of two levels, from `-TOP` on. */
function stepsOf(share, reach) {
  return Int8Array.from({ length: 2 * TOP + 1 }, (_, n) => {
    const apart = n - TOP;
    const near = Math.max(0, 1 - Math.abs(apart) / reach);
    return Math.sign(apart) * Math.round(share * near * Math.abs(apart));
  });
}
