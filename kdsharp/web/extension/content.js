// Content script: covers each video with a canvas that shows its sharpened frames. Running
// it a second time removes everything.

(() => {
  if (globalThis.kdsharp) {
    globalThis.kdsharp.close();
    return;
  }

  // Events at which a paused video shows another frame.
  const STILL = ["loadeddata", "seeked", "pause"];
  // Events after which the next frame does not follow the one before.
  const JUMPS = ["loadeddata", "seeking", "seeked"];
  // Smaller videos are thumbnails and icons.
  const LEAST = 96;
  const MARK = "data-kdsharp";
  const BAR =
    "position: absolute; z-index: 2147483647; display: flex; gap: 4px; padding: 4px; " +
    "border-radius: 6px; background: #000a; color: #fff; font: 12px system-ui, sans-serif";
  const BUTTON =
    "font: inherit; border: 1px solid #fff8; border-radius: 4px; cursor: pointer; ";
  const QUIET = 0.25;

  /** Adds the hidden frame that restores pictures. */
  function engine() {
    const frame = document.createElement("iframe");
    frame.src = chrome.runtime.getURL("engine.html");
    frame.setAttribute(MARK, "engine");
    frame.style.cssText = "display: none !important";
    const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
    document.documentElement.append(frame);
    return {
      async port() {
        await loaded;
        const { port1, port2 } = new MessageChannel();
        const origin = new URL(frame.src).origin;
        frame.contentWindow.postMessage("kdsharp", origin, [port2]);
        return port1;
      },
      close: () => frame.remove(),
    };
  }

  class Overlay {
    #video;
    #canvas = document.createElement("canvas");
    #bar;
    #port;
    #from = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    #to = this.#canvas.getContext("2d");
    #busy = false;
    // Whether a frame was skipped while another was being restored.
    #missed = false;
    // Whether the video has jumped since the last frame that was sent.
    #jumped = false;
    #closed = false;
    #split = null;
    #strength = 1;
    #moved;

    constructor(video) {
      this.#video = video;
      this.#canvas.setAttribute(MARK, "frame");
      this.#bar = bar({
        Compare: (pressed) => this.#change(() => (this.#split = pressed ? 0.5 : null)),
        "Half strength": (pressed) =>
          this.#change(() => (this.#strength = pressed ? 0.5 : 1)),
        "Picture in picture": () => this.#popOut(),
        Off: () => {
          declined.add(video);
          this.close();
        },
      });
      video.after(this.#canvas, this.#bar.element);
      this.#moved = new ResizeObserver(() => this.#place());
      this.#moved.observe(video);
      this.#place();
    }

    async open(engine) {
      this.#port = await engine.port();
      this.#port.onmessage = ({ data }) => this.#show(data);
      for (const name of JUMPS) this.#video.addEventListener(name, this.#jump);
      for (const name of STILL) this.#video.addEventListener(name, this.#again);
      this.#next();
    }

    close() {
      if (this.#closed) return;
      this.#closed = true;
      this.#moved.disconnect();
      for (const name of JUMPS) this.#video.removeEventListener(name, this.#jump);
      for (const name of STILL) this.#video.removeEventListener(name, this.#again);
      this.#port?.postMessage({ close: true });
      this.#canvas.remove();
      this.#bar.element.remove();
      overlays.delete(this.#video);
    }

    #next = () => {
      if (this.#closed) return;
      if (!this.#video.isConnected) return this.close();
      this.#again();
      this.#video.requestVideoFrameCallback(this.#next);
    };

    #jump = () => (this.#jumped = true);

    /** Restores the current frame, now or when the previous one is done. */
    #again = () => {
      if (this.#busy) this.#missed = true;
      else this.#send();
    };

    /** Changes an option and redraws, even if the video is paused. */
    #change(set) {
      set();
      this.#again();
    }

    #send() {
      const [width, height] = [this.#video.videoWidth & ~1, this.#video.videoHeight & ~1];
      if (!width || !height || this.#video.readyState < 2) return;
      const { canvas } = this.#from;
      if (canvas.width !== width || canvas.height !== height)
        Object.assign(canvas, { width, height });
      let pixels;
      try {
        this.#from.drawImage(this.#video, 0, 0, width, height);
        pixels = this.#from.getImageData(0, 0, width, height).data;
      } catch {
        return this.#refuse(
          "This video comes from another site, which does not allow reading it",
        );
      }
      const options = {
        strength: this.#strength,
        split: this.#split,
        jumped: this.#jumped,
      };
      [this.#busy, this.#missed, this.#jumped] = [true, false, false];
      this.#port.postMessage({ pixels, width, height, ...options }, [pixels.buffer]);
    }

    #show({ failed, pixels, width, height, milliseconds }) {
      if (this.#closed) return;
      if (failed) return this.#refuse(failed);
      const canvas = this.#canvas;
      if (canvas.width !== width || canvas.height !== height)
        Object.assign(canvas, { width, height });
      this.#to.putImageData(new ImageData(pixels, width, height), 0, 0);
      canvas.dataset.frames = Number(canvas.dataset.frames ?? 0) + 1;
      this.#bar.tell(`${milliseconds.toFixed(0)} ms`);
      this.#busy = false;
      this.#place();
      // Restore the last frame before a pause, too.
      if (this.#missed) this.#send();
    }

    #refuse(words) {
      this.#canvas.remove();
      this.#bar.tell(words);
    }

    /** Moves the canvas to the position and size of the video. */
    #place() {
      const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = this.#video;
      const { objectFit, objectPosition, transform, borderRadius } = getComputedStyle(
        this.#video,
      );
      Object.assign(this.#canvas.style, {
        position: "absolute",
        left: `${offsetLeft}px`,
        top: `${offsetTop}px`,
        width: `${offsetWidth}px`,
        height: `${offsetHeight}px`,
        objectFit,
        objectPosition,
        transform,
        borderRadius,
        pointerEvents: "none",
      });
      const [left, top] = [`${offsetLeft + 8}px`, `${offsetTop + 8}px`];
      Object.assign(this.#bar.element.style, { left, top });
    }

    async #popOut() {
      const shown = document.createElement("video");
      Object.assign(shown, { muted: true, srcObject: this.#canvas.captureStream() });
      await shown.play();
      try {
        await shown.requestPictureInPicture();
      } catch (error) {
        this.#bar.tell(`No picture in picture: ${error.message}`);
      }
    }
  }

  /** Creates a toolbar in a shadow root, which the page's styles do not affect. */
  function bar(actions) {
    const element = document.createElement("div");
    element.setAttribute(MARK, "bar");
    const root = element.attachShadow({ mode: "open" });
    // Inline properties, because the page's policy may forbid style sheets.
    element.style.cssText = BAR;
    const fade = (opacity) => () => (element.style.opacity = opacity);
    for (const name of ["mouseenter", "focusin"]) element.addEventListener(name, fade(1));
    for (const name of ["mouseleave", "focusout"])
      element.addEventListener(name, fade(QUIET));
    fade(QUIET)();
    for (const [name, act] of Object.entries(actions)) {
      const button = document.createElement("button");
      button.textContent = name;
      const stays = name === "Compare" || name === "Half strength";
      const press = (pressed) => {
        if (stays) button.setAttribute("aria-pressed", pressed);
        button.style.cssText =
          BUTTON +
          (stays && pressed
            ? "background: #fff; color: #000"
            : "background: none; color: #fff");
      };
      press(false);
      button.addEventListener("click", () => {
        const pressed = button.getAttribute("aria-pressed") !== "true";
        press(pressed);
        act(pressed);
      });
      root.append(button);
    }
    const status = document.createElement("span");
    root.append(status);
    return { element, tell: (words) => (status.textContent = words) };
  }

  const overlays = new Map();
  // Videos for which sharpening was turned off.
  const declined = new WeakSet();
  let computing;

  function look() {
    for (const video of document.querySelectorAll("video")) {
      const small = video.offsetWidth < LEAST || video.offsetHeight < LEAST;
      // Videos under copy protection read as black.
      if (small || video.mediaKeys || declined.has(video) || overlays.has(video)) continue;
      computing ??= engine();
      const overlay = new Overlay(video);
      overlays.set(video, overlay);
      overlay.open(computing);
    }
  }

  // Videos may be added later, as when people join a call.
  const added = new MutationObserver(look);
  added.observe(document.documentElement, { childList: true, subtree: true });
  look();

  globalThis.kdsharp = {
    close() {
      added.disconnect();
      for (const overlay of overlays.values()) overlay.close();
      computing?.close();
      delete globalThis.kdsharp;
    },
  };
})();
