// Shows one picture after another and saves each rating at once.

const $ = (id) => document.getElementById(id);
const KEPT = "kdsharp-rater";
const AGAIN = 1000;

let token = location.hash.slice(1) || localStorage.getItem(KEPT);
let study;
let place = 0;
// Ratings that are being sent.
let open = 0;
let line = Promise.resolve();

/** Fetches from the server, retrying until it responds. */
async function ask(path, options = {}) {
  for (;;) {
    try {
      const answer = await fetch(path, options);
      if (answer.status < 500) {
        $("problem").hidden = true;
        return answer;
      }
    } catch {
      // No connection: retry below.
    }
    complain("The server does not respond. This page keeps trying.");
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
    complain("This address is unknown. You would start a new session.");
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
    `Picture ${place + 1} of ${total}${trial.training ? ", for practice" : ""}`;
  for (const input of document.querySelectorAll("#scales input"))
    input.checked = study.given[trial.number]?.[input.name] === Number(input.value);
  const picture = $("picture");
  // Hide the previous picture while the next one loads.
  picture.removeAttribute("src");
  show("trial");
  // Before the picture arrives, so that no choice made meanwhile loses the focus.
  document.querySelector("#scales input").focus();
  picture.src = own(`/${trial.number}/picture`);
  await picture
    .decode()
    .catch(() => complain("The picture did not load: reload the page."));
  fit();
}

/** Shows the picture pixel for pixel, or says why that is impossible. */
function fit() {
  const picture = $("picture");
  if (!picture.naturalWidth) return;
  picture.style.width = `${picture.naturalWidth / devicePixelRatio}px`;
  // Pictures that do not fit cannot be rated.
  const lacks = picture.naturalWidth / devicePixelRatio > document.body.clientWidth;
  for (const set of document.querySelectorAll("fieldset")) set.disabled = lacks;
  if (lacks)
    complain(
      "This window is too narrow for the picture: make it wider, or rotate your device.",
    );
  else $("problem").hidden = true;
}

async function give(scale, score) {
  const { number } = study.trials[place];
  open += 1;
  $("next").disabled = true;
  $("saved").textContent = "Saving";
  const body = `${score}`;
  // Sent one after another, so that the last rating of a scale wins.
  line = line.then(() => ask(own(`/${number}/${scale}`), { method: "PUT", body }));
  const answer = await line;
  open -= 1;
  if (!answer.ok) return complain("The rating was refused: reload the page.");
  (study.given[number] ??= {})[scale] = score;
  if (open) return;
  $("saved").textContent = "Saved";
  $("next").disabled = !isRated(study.trials[place]);
}

addEventListener("resize", fit);
start();
