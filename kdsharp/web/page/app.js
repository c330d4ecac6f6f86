// The page: three tabs over one list of networks.

import { Camera } from "./camera/view.js";
import { capabilities } from "./engine/capabilities.js";
import { isolate } from "./isolation.js";
import { Pictures } from "./pictures/view.js";
import * as site_ from "./site.js";
import { tabs } from "./tabs.js";
import { told } from "./words.js";

const problem = document.getElementById("problem");

function complain(error) {
  problem.textContent = error ? told(error) : "";
  problem.hidden = !error;
  if (error) console.warn(error);
}

async function start() {
  tabs(document.querySelector('[role="tablist"]'));
  await isolate();
  const site = await site_.read();
  const how = await capabilities(site);
  document.getElementById("engine-told").textContent = how.told;
  if (site.engine === "server") {
    document.getElementById("where").textContent =
      "It is sent to the server that this page came from, and nowhere else.";
    document.getElementById("leaves").textContent =
      "Pictures go to the server that this page came from, which keeps none. Camera " +
      "pictures do not leave this browser.";
  }
  new Pictures(site, how, complain);
  new Camera(site, how, complain);
  document.body.dataset.ready = "yes";
}

start().catch(complain);
