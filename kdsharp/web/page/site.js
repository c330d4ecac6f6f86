// What this site has: its networks, and where pictures are computed.

import { Sentence } from "./words.js";

export const base = new URL("./", import.meta.url);

/** Returns the site's list, each network with the addresses of its files. */
export async function read() {
  const answer = await fetch(new URL("site.json", base));
  if (!answer.ok)
    throw new Sentence("This site is incomplete: its list of networks is missing.");
  const site = await answer.json();
  const address = (file) => new URL(`networks/${file}`, base).href;
  for (const network of site.networks) {
    network.url = address(network.graph);
    for (const part of [network.kernel, network.context])
      if (part) part.url = address(part.file);
  }
  return site;
}

/** Returns how many products a pixel a network takes. */
export function work({ parameters, multiple }) {
  return parameters / multiple ** 2;
}

/** Returns the networks that video can have. */
export function live(site) {
  return site.networks.filter((network) => network.live);
}

/** Returns the network of that name. */
export function find(site, name) {
  const found = site.networks.find((network) => network.name === name);
  if (!found)
    throw new Sentence(
      `There is no network ${name} here; there are: ` +
        site.networks.map((network) => network.name).join(", "),
    );
  return found;
}
