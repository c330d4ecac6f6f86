// The pictures tab: shows a picture next to the results of the networks.

import { Cancelled, Engine } from "../engine/client.js";
import { Server } from "../engine/server.js";
import { find, work } from "../site.js";
import { megapixels } from "../words.js";
import { decode } from "./decode.js";
import { encode, save } from "./encode.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
const NONE = "none";
const ROLES = ["student", "teacher"];

export class Pictures {
  #site;
  #engine;
  #complain;
  #stage;
  #picture;
  #original;
  // The result of each role's network, and the seconds it took.
  #made = {};
  #seconds = {};
  #running = false;
  #again = false;

  constructor(site, capabilities, complain) {
    this.#site = site;
    this.#complain = complain;
    this.#engine = site.engine === "server" ? new Server() : new Engine(capabilities);
    this.#stage = new Stage($("stage"), {
      tell: (scale) => ($("zoom-told").textContent = `${Math.round(100 * scale)} %`),
      slid: (part) => {
        $("divider").value = 100 * part;
        this.#stage.divide(part);
      },
    });
    this.#fill();
    this.#listen();
  }

  #fill() {
    for (const { name } of this.#site.networks)
      $("student").add(new Option(this.#label(name), name));
    this.#offerTeachers();
  }

  /** Offers only the teachers of the selected student, because others differ in task. */
  #offerTeachers() {
    const { teachers } = find(this.#site, $("student").value);
    const chosen = teachers.includes($("teacher").value) ? $("teacher").value : NONE;
    $("teacher").replaceChildren(
      new Option(NONE, NONE),
      ...teachers.map((name) => new Option(this.#label(name), name)),
    );
    $("teacher").value = chosen;
    $("teacher-choice").hidden = teachers.length === 0;
    if (this.#made.teacher?.name !== chosen) delete this.#made.teacher;
  }

  #label(name) {
    const { networks } = this.#site;
    const most = Math.max(...networks.map(work));
    const slow = networks.length > 1 && work(find(this.#site, name)) === most;
    return slow ? `${name} (slow)` : name;
  }

  #listen() {
    const drop = $("drop");
    const take = (file) => file && this.#take(file).catch(this.#complain);
    $("file").addEventListener("change", (event) => {
      take(event.target.files[0]);
      // Selecting the same file again must fire the event, too.
      event.target.value = "";
    });
    document.addEventListener("paste", (event) => {
      const file = event.clipboardData.files[0];
      if (file) take(file);
    });
    for (const [name, over] of [
      ["dragover", true],
      ["dragleave", false],
      ["drop", false],
    ])
      document.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", over);
        if (name === "drop") take(event.dataTransfer.files[0]);
      });
    for (const role of ROLES)
      $(role).addEventListener("change", () => {
        delete this.#made[role];
        this.#offerTeachers();
        this.#update();
      });
    $("strength").addEventListener("input", () => {
      $("strength-told").textContent = Number($("strength").value).toFixed(2);
    });
    $("strength").addEventListener("change", () => {
      this.#made = {};
      this.#update();
    });
    for (const id of ["layout", "left", "right"])
      $(id).addEventListener("change", () => this.#show());
    $("divider").addEventListener("input", () =>
      this.#stage.divide($("divider").value / 100),
    );
    $("fit").addEventListener("click", () => this.#stage.fit());
    $("one").addEventListener("click", () => this.#stage.one());
    $("in").addEventListener("click", () => this.#stage.zoom(1.5));
    $("out").addEventListener("click", () => this.#stage.zoom(1 / 1.5));
    $("cancel").addEventListener("click", () => this.#engine.cancel());
    $("save").addEventListener("click", () => this.#save().catch(this.#complain));
    $("choices").addEventListener("submit", (event) => event.preventDefault());
  }

  async #take(file) {
    this.#complain(null);
    this.#tell(`Reading ${file.name || "the picture"}`);
    const picture = await decode(file).catch((error) => {
      this.#tell("");
      throw error;
    });
    this.#picture = { ...picture, name: file.name || "picture", file };
    this.#engine.open(this.#picture);
    this.#made = {};
    this.#seconds = {};
    this.#original = await bitmapOf(this.#picture, picture.pixels);
    $("work").hidden = false;
    $("drop").classList.add("small");
    this.#show();
    this.#stage.fit();
    await this.#update();
  }

  /** Computes missing results, one network after another. */
  async #update() {
    if (!this.#picture) return;
    this.#show();
    if (this.#running) {
      this.#again = true;
      this.#engine.cancel();
      return;
    }
    this.#running = true;
    this.#complain(null);
    try {
      do {
        this.#again = false;
        await this.#restore().catch((error) => {
          if (!(error instanceof Cancelled)) throw error;
          if (!this.#again) this.#tell("Cancelled.");
        });
      } while (this.#again);
    } catch (error) {
      this.#tell("");
      this.#complain(error);
    } finally {
      this.#running = false;
      $("progress-bar").hidden = true;
    }
  }

  async #restore() {
    const picture = this.#picture;
    const strength = Number($("strength").value);
    for (const role of ROLES) {
      const name = $(role).value;
      if (name === NONE || this.#made[role]) continue;
      const progress = $("progress");
      progress.removeAttribute("value");
      $("progress-told").textContent = name;
      $("progress-bar").hidden = false;
      this.#tell(`Running ${name}`);
      const network = find(this.#site, name);
      const { sharp, seconds } = await this.#engine.restore(network, strength, (part) => {
        progress.value = part;
        $("progress-told").textContent = `${name}: ${Math.round(100 * part)} %`;
      });
      if (seconds !== null) this.#seconds[name] = seconds;
      const bitmap = await bitmapOf(picture, sharp);
      this.#made[role] = { name, pixels: sharp, bitmap };
      this.#show();
    }
    const size = `${picture.width}x${picture.height}, ${megapixels(picture.width, picture.height)} megapixels`;
    const times = Object.values(this.#made).map(
      ({ name }) => `${name} ${this.#seconds[name].toFixed(2)} s`,
    );
    this.#tell([`${picture.name}: ${size}`, ...times].join("; "));
  }

  #show() {
    if (!this.#picture) return;
    const layers = [{ key: "input", label: "input", bitmap: this.#original }];
    for (const role of ROLES)
      if (this.#made[role]) {
        const { name, bitmap } = this.#made[role];
        layers.push({ key: role, label: `${role}: ${name}`, bitmap });
      }
    const keys = layers.map(({ key }) => key);
    options($("save-what"), keys.slice(1), keys[1]);
    options($("left"), keys, keys[0]);
    options($("right"), keys, keys.at(-1));
    $("save").disabled = keys.length < 2;
    const layout = $("layout").value;
    $("divider-bar").hidden = layout !== "slider" || keys.length < 2;
    const pair = [$("left"), $("right")].map((select) => keys.indexOf(select.value));
    this.#stage.show(layers, { layout, pair });
  }

  async #save() {
    const { pixels, name } = this.#made[$("save-what").value];
    const { width, height, name: of } = this.#picture;
    const kind = $("save-as").value;
    this.#tell(`Writing ${kind.toUpperCase()}`);
    const file = await encode({ width, height, pixels }, kind);
    const ending = kind === "jpeg" ? "jpg" : kind;
    save(file, `${of.replace(/\.[^.]*$/, "")}.${name}.${ending}`);
    this.#tell(`Saved, ${width}x${height}, ${(file.size / 1e6).toFixed(1)} MB.`);
  }

  #tell(words) {
    $("status").textContent = words;
  }
}

function bitmapOf({ width, height }, pixels) {
  return createImageBitmap(new ImageData(pixels, width, height));
}

/** Sets the options of a select element, and keeps its selection if possible. */
function options(select, names, preferred) {
  // A selection among a single option does not count.
  const chosen = select.options.length > 1 && names.includes(select.value);
  const value = chosen ? select.value : preferred;
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  if (value) select.value = value;
}
