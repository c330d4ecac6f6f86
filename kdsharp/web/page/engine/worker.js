// The worker that restores a picture tile by tile.

import { UserError } from "../words.js";
import { open } from "./context.js";
import * as pixels from "./pixels.js";
import * as sessions from "./sessions.js";
import { cut } from "./tiles.js";
import { cover } from "./transparency.js";

// Maximum multiplications per tile: about a second between two progress reports.
const MOST_WORK = 20e9;
const SIDES = [512, 384, 256, 192];
// Residuals of up to this many values are cached, for other strengths.
const MOST_KEPT = 40e6;

let picture;
let capabilities;
let residuals = new Map();
const opened = new Map();
const contexts = new Map();

function session(network) {
  if (!opened.has(network.url))
    opened.set(network.url, sessions.open(network, capabilities));
  return opened.get(network.url);
}

async function restore({ network, strength }, progress) {
  const { channels } = network;
  const start = performance.now();
  let residual = residuals.get(network.url);
  let seconds = null;
  if (!residual) {
    const run = await session(network);
    const began = performance.now();
    residual = await residualOf(network, run, progress);
    seconds = (performance.now() - began) / 1000;
    if (residual.length <= MOST_KEPT) residuals.set(network.url, residual);
  }
  const sharp = pixels.add(picture, residual, strength, channels);
  return { sharp, seconds, all: (performance.now() - start) / 1000 };
}

async function residualOf(network, run, progress) {
  const { width, height } = picture;
  const { channels, radius, multiple, parameters } = network;
  const work = parameters / multiple ** 2;
  const side = SIDES.find((s) => s * s * work <= MOST_WORK) ?? SIDES.at(-1);
  const tiles = cut(height, width, side, radius, multiple);
  const residual = new Float32Array(width * height * channels);
  const gains = await gainsOf(network);
  for (const [number, tile] of tiles.entries()) {
    const before = pixels.seen(picture, tile, channels);
    const after = await run(before, tile.row.length, tile.column.length, gains);
    pixels.keep(residual, width, tile, before, after, channels);
    progress((number + 1) / tiles.length);
  }
  return residual;
}

/** Computes the gains of the whole picture, if the network has a context. */
async function gainsOf({ context }) {
  if (!context) return undefined;
  if (!contexts.has(context.url)) contexts.set(context.url, await open(context));
  const { width, height } = picture;
  return contexts.get(context.url).gains(width, height, pixels.lines(picture));
}

const TASKS = {
  begin(message) {
    capabilities = message.capabilities;
    return {};
  },
  picture(message) {
    picture = { ...message.picture, covered: cover(message.picture) };
    residuals = new Map();
    return {};
  },
  restore,
};

self.onmessage = async ({ data }) => {
  const { id, task } = data;
  try {
    const done = await TASKS[task](data, (part) => self.postMessage({ id, part }));
    self.postMessage({ id, done }, done.sharp ? [done.sharp.buffer] : []);
  } catch (error) {
    const { message } = error;
    self.postMessage({ id, failed: { message, sentence: error instanceof UserError } });
  }
};
