// The webcam tab.

import { live } from "../site.js";
import { describe, UserError } from "../words.js";
import { call } from "./call.js";
import { open } from "./live.js";
import { measure } from "./measure.js";
import { record } from "./record.js";

const $ = (id) => document.getElementById(id);
const SIZES = { "360p": [640, 360], "720p": [1280, 720], "1080p": [1920, 1080] };
const OFTEN = 1000;

const REFUSED = {
  NotAllowedError:
    "Access to the camera was denied: allow it in the address bar, then start again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "Another program is using the camera: close it, then start again.",
};

export class Camera {
  #site;
  #capabilities;
  #complain;
  #camera;
  #live;
  #stream;
  #recording;
  #call;
  #timer;

  constructor(site, capabilities, complain) {
    [this.#site, this.#capabilities, this.#complain] = [site, capabilities, complain];
    for (const { name } of live(site)) $("camera-student").add(new Option(name, name));
    const on = (id, name, act) =>
      $(id).addEventListener(name, async () => {
        try {
          complain(null);
          await act();
        } catch (error) {
          complain(error);
        }
      });
    on("start", "click", () => this.#start());
    on("stop", "click", () => this.#stop("Stopped."));
    on("size", "change", () => this.#live && this.#start());
    on("camera-student", "change", () => this.#live && this.#start());
    for (const id of ["camera-strength", "split", "camera-divider"])
      on(id, "input", () => this.#live?.set(this.#wishes()));
    on("record", "click", () => this.#record());
    on("call", "click", () => this.#phone());
    on("measure", "click", () => this.#measure());
    $("camera-choices").addEventListener("submit", (event) => event.preventDefault());
  }

  #wishes() {
    const strength = Number($("camera-strength").value);
    $("camera-strength-told").textContent = strength.toFixed(2);
    $("camera-divider").disabled = !$("split").checked;
    const split = $("split").checked ? $("camera-divider").value / 100 : null;
    return { strength, split };
  }

  async #start() {
    await this.#stop("Starting");
    $("start").disabled = true;
    try {
      await this.#open();
    } catch (error) {
      await this.#stop("");
      throw error;
    } finally {
      $("start").disabled = false;
    }
  }

  async #open() {
    const [width, height] = SIZES[$("size").value];
    this.#camera = await camera(width, height);
    const [track] = this.#camera.getVideoTracks();
    track.addEventListener("ended", () => this.#stop("The camera was disconnected."));
    this.#live = await open(track, {
      ...this.#wishes(),
      network: $("camera-student").value,
      capabilities: this.#capabilities,
      tell: (stats) => this.#tell(stats),
      failed: (error) => this.#stop("").then(() => this.#complain(error)),
    });
    this.#stream = new MediaStream([this.#live.track]);
    $("live").srcObject = this.#stream;
    $("camera-status").textContent = "The camera's pictures stay in this browser.";
    for (const id of ["stop", "record", "call"]) $(id).disabled = false;
  }

  #tell({ fps, milliseconds, dropped, size, by }) {
    $("fps").textContent = fps.toFixed(1);
    $("milliseconds").textContent = milliseconds.toFixed(1);
    $("dropped").textContent = dropped;
    $("frame-size").textContent = size;
    $("means").textContent = by;
  }

  async #stop(words) {
    if (this.#recording) await this.#record();
    if (this.#call) await this.#phone();
    this.#live?.close();
    for (const track of this.#camera?.getTracks() ?? []) track.stop();
    [this.#live, this.#camera] = [null, null];
    $("live").srcObject = null;
    $("camera-status").textContent = words;
    for (const id of ["stop", "record", "call"]) $(id).disabled = true;
  }

  async #record() {
    if (!this.#recording) {
      this.#recording = record(this.#stream);
      this.#press("record", "Stop recording", true);
      return;
    }
    const stop = this.#recording;
    this.#recording = null;
    this.#press("record", "Record", false);
    const file = await stop();
    const link = $("recording");
    if (link.href) URL.revokeObjectURL(link.href);
    link.hidden = !file.size;
    if (link.hidden) {
      $("camera-status").textContent = "Nothing was recorded: the recording was too short.";
      return;
    }
    link.href = URL.createObjectURL(file);
    link.download = `kdsharp.${file.type.endsWith("mp4") ? "mp4" : "webm"}`;
    link.textContent = `Save the recording, ${(file.size / 1e6).toFixed(1)} MB`;
  }

  async #phone() {
    if (this.#call) {
      clearInterval(this.#timer);
      this.#call.close();
      this.#call = null;
      $("far").srcObject = null;
      $("far").hidden = true;
      $("call-status").textContent = "";
      this.#press("call", "Call myself", false);
      return;
    }
    this.#call = await call(this.#stream);
    this.#press("call", "Hang up", true);
    $("far").srcObject = this.#call.stream;
    $("far").hidden = false;
    this.#timer = setInterval(async () => {
      const found = await this.#call?.received();
      if (!found) return;
      const { frames, width, height, fps } = found;
      $("call-status").textContent =
        `Received ${frames} frames, now ${width}x${height} at ${fps} fps.`;
    }, OFTEN);
  }

  #press(id, words, pressed) {
    $(id).textContent = words;
    $(id).setAttribute("aria-pressed", pressed);
  }

  async #measure() {
    const [table, button] = [$("speeds"), $("measure")];
    const body = table.tBodies[0];
    body.replaceChildren();
    table.hidden = false;
    button.disabled = true;
    $("call-status").textContent = "Measuring";
    const how = this.#capabilities;
    how.measured = await measure(this.#site, how, ({ network, by, milliseconds }) => {
      const row = body.insertRow();
      for (const text of [network, by, ...milliseconds.map((ms) => ms?.toFixed(1) ?? "–")])
        row.insertCell().textContent = text;
    });
    $("call-status").textContent = "Measured: the camera takes the fastest way now.";
    button.disabled = false;
    if (this.#live) await this.#start();
  }
}

async function camera(width, height) {
  if (!navigator.mediaDevices)
    throw new UserError("Browsers allow cameras only on https or localhost pages.");
  // Cameras support few sizes; with a maximum, browsers scale down to it.
  const video = {
    width: { ideal: width, max: width },
    height: { ideal: height, max: height },
  };
  try {
    return await navigator.mediaDevices.getUserMedia({ video });
  } catch (error) {
    throw new UserError(REFUSED[error.name] ?? describe(error));
  }
}
