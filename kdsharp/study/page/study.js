// Shows one picture after another and keeps each answer the moment it is given.

const $ = (id) => document.getElementById(id);
const KEPT = "kdsharp-rater";
const AGAIN = 1000;

let token = location.hash.slice(1) || localStorage.getItem(KEPT);
let study;
let place = 0;
// Answers that are on their way.
let open = 0;
let line = Promise.resolve();

/** Returns the answer; a server that is away is asked again until it is back. */
async function ask(path, options = {}) {
  for (;;) {
    try {
      const answer = await fetch(path, options);
      if (answer.status < 500) {
        $("problem").hidden = true;
        return answer;
      }
    } catch {
      // No connection: below.
    }
    complain("The server does not answer; this page goes on trying.");
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

function complain(words) {
  $("problem").textContent = words;
  $("problem").hidden = false;
}

function show(id) {
  for (const section of document.querySelectorAll("section"))
    section.hidden = section.id !== id;
}

const own = (rest = "") => `api/raters/${token}${rest}`;
const isRated = ({ number }) =>
  Object.keys(study.scales).every((scale) => study.given[number]?.[scale]);

async function start() {
  const known = token && (await ask(own()));
  if (known?.ok) return goOn(await known.json());
  if (token && location.hash)
    complain("Nobody began under this address: you would begin anew.");
  show("first");
  $("begin").onclick = async () => {
    $("begin").disabled = true;
    const { token: mine } = await (await ask("api/raters", { method: "POST" })).json();
    token = mine;
    await goOn(await (await ask(own())).json());
  };
}

async function goOn(found) {
  study = found;
  localStorage.setItem(KEPT, token);
  history.replaceState(null, "", `#${token}`);
  document.title = study.title;
  build();
  place = study.trials.findIndex((trial) => !isRated(trial));
  await next();
}

function build() {
  const sets = Object.entries(study.scales).map(([scale, words]) => {
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = scale;
    const row = document.createElement("div");
    row.append(...words.map((word, n) => choice(scale, word, n + 1)));
    set.append(legend, row);
    return set;
  });
  $("scales").replaceChildren(...sets);
  $("next").onclick = () => {
    place = study.trials.findIndex((trial) => !isRated(trial));
    next();
  };
}

function choice(scale, word, score) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: scale, value: score });
  input.addEventListener("change", () => give(scale, score));
  label.append(word, input, `${score}`);
  return label;
}

async function next() {
  if (place < 0) return show("last");
  const trial = study.trials[place];
  const total = study.trials.length;
  $("scales").reset();
  $("next").disabled = true;
  $("saved").textContent = "";
  $("place").textContent =
    `Picture ${place + 1} of ${total}${trial.training ? ", to get used to it" : ""}`;
  for (const input of document.querySelectorAll("#scales input"))
    input.checked = study.given[trial.number]?.[input.name] === Number(input.value);
  const picture = $("picture");
  // Nothing of the last one is left while the next is on its way.
  picture.removeAttribute("src");
  show("trial");
  picture.src = own(`/${trial.number}/picture`);
  await picture.decode().catch(() => complain("The picture did not load: load anew."));
  fit();
  document.querySelector("#scales input").focus();
}

/** Shows a pixel of the picture as one of the screen, or says why that cannot be. */
function fit() {
  const picture = $("picture");
  if (!picture.naturalWidth) return;
  picture.style.width = `${picture.naturalWidth / devicePixelRatio}px`;
  // What is not seen whole, pixel for pixel, is not rated.
  const lacks = picture.naturalWidth / devicePixelRatio > document.body.clientWidth;
  for (const set of document.querySelectorAll("fieldset")) set.disabled = lacks;
  if (lacks)
    complain(
      "This window is too narrow for the picture: make it wider, or turn your device.",
    );
  else $("problem").hidden = true;
}

async function give(scale, score) {
  const { number } = study.trials[place];
  open += 1;
  $("next").disabled = true;
  $("saved").textContent = "Keeping";
  const body = `${score}`;
  // One after another: of two for one scale, the later must come last.
  line = line.then(() => ask(own(`/${number}/${scale}`), { method: "PUT", body }));
  const answer = await line;
  open -= 1;
  if (!answer.ok) return complain("The answer was refused: load the page again.");
  (study.given[number] ??= {})[scale] = score;
  if (open) return;
  $("saved").textContent = "Kept";
  $("next").disabled = !isRated(study.trials[place]);
}

addEventListener("resize", fit);
start();
