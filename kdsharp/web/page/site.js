// The site's list: its networks, and where pictures are computed.

import { UserError } from "./words.js";

export const base = new URL("./", import.meta.url);

/** Loads the list and adds the addresses of each network's files. */
export async function read() {
  const answer = await fetch(new URL("site.json", base));
  if (!answer.ok)
    throw new UserError("This site is incomplete: its list of networks is missing.");
  const site = await answer.json();
  const address = (file) => new URL(`networks/${file}`, base).href;
  for (const network of site.networks) {
    network.url = address(network.graph);
    for (const part of [network.kernel, network.context])
      if (part) part.url = address(part.file);
  }
  return site;
}

/** Multiplications per pixel of a network. */
export function work({ parameters, multiple }) {
  return parameters / multiple ** 2;
}

/** The networks that are suitable for video. */
export function live(site) {
  return site.networks.filter((network) => network.live);
}

/** Looks up a network by name. */
export function find(site, name) {
  const found = site.networks.find((network) => network.name === name);
  if (!found)
    throw new UserError(
      `Unknown network ${name}; choose one of: ` +
        site.networks.map((network) => network.name).join(", "),
    );
  return found;
}
