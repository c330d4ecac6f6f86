// The page: three tabs that share a list of networks.

import { Camera } from "./camera/view.js";
import { capabilities } from "./engine/capabilities.js";
import { isolate } from "./isolation.js";
import { Pictures } from "./pictures/view.js";
import * as site_ from "./site.js";
import { tabs } from "./tabs.js";
import { describe } from "./words.js";

const problem = document.getElementById("problem");

function complain(error) {
  problem.textContent = error ? describe(error) : "";
  problem.hidden = !error;
  if (error) console.warn(error);
}

async function start() {
  tabs(document.querySelector('[role="tablist"]'));
  await isolate();
  const site = await site_.read();
  const how = await capabilities(site);
  document.getElementById("engine-told").textContent = how.description;
  if (site.engine === "server") {
    document.getElementById("where").textContent =
      "It is sent to this page's server, and nowhere else.";
    document.getElementById("leaves").textContent =
      "Pictures are sent to this page's server, which does not store them. The webcam's " +
      "pictures do not leave this browser.";
  }
  new Pictures(site, how, complain);
  new Camera(site, how, complain);
  document.body.dataset.ready = "yes";
}

start().catch(complain);
