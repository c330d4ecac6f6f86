// Shows pictures side by side or under a divider, with shared pan and zoom.

const MOST = 32;
const STEP = 1.25;
const NEAR = 24;

export class Stage {
  #element;
  #layers = [];
  #shown = [];
  #divider = 0.5;
  // Screen pixels per picture pixel, and the picture coordinates of the view's centre.
  #scale = 0;
  #middle = [0, 0];
  #fits = true;
  #pointers = new Map();
  #drags = false;
  #due = 0;

  /** `tell` is called with the zoom, `slid` with the divider's new position (0 to 1). */
  constructor(element, { tell, slid }) {
    this.#element = element;
    this.tell = tell;
    this.slid = slid;
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"])
      element.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("dblclick", () => (this.#fits ? this.one() : this.fit()));
    new ResizeObserver(() => this.#resized()).observe(element);
  }

  /** Shows layers `{ label, bitmap }`, all of the same size. */
  show(layers, { layout, pair }) {
    this.#layers = layers;
    const views =
      layout === "slider" && layers.length > 1
        ? [pair.map((place) => layers[place])]
        : layers.map((layer) => [layer]);
    this.#element.replaceChildren(...views.map(figure));
    this.#shown = views.map((of, n) => ({
      of,
      canvas: this.#element.children[n].querySelector("canvas"),
    }));
    this.#resized();
  }

  /** Moves the divider to a fraction of the width. */
  divide(part) {
    this.#divider = part;
    this.#draw();
  }

  fit() {
    this.#fits = true;
    this.#resized();
  }

  /** Shows the picture pixel for pixel. */
  one() {
    this.#zoomTo(1);
  }

  zoom(times) {
    this.#zoomTo(this.#scale * times);
  }

  get #size() {
    const { width, height } = this.#layers[0].bitmap;
    return [width, height];
  }

  #resized() {
    if (!this.#shown.length) return;
    for (const { canvas } of this.#shown) {
      canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
      canvas.height = Math.max(1, Math.round(canvas.clientHeight * devicePixelRatio));
    }
    if (this.#fits) {
      const [width, height] = this.#size;
      const { canvas } = this.#shown[0];
      this.#scale = Math.min(canvas.width / width, canvas.height / height);
      this.#middle = [width / 2, height / 2];
    }
    this.#draw();
  }

  #zoomTo(scale, at = null) {
    const least = Math.min(1, this.#fitting()) / 2;
    const next = Math.min(Math.max(scale, least), MOST);
    if (at) {
      // Keep the point under the pointer fixed.
      for (const axis of [0, 1])
        this.#middle[axis] += at[axis] / this.#scale - at[axis] / next;
    }
    this.#scale = next;
    this.#fits = false;
    this.#draw();
  }

  #fitting() {
    const [width, height] = this.#size;
    const { canvas } = this.#shown[0];
    return Math.min(canvas.width / width, canvas.height / height);
  }

  #pan(x, y) {
    const [width, height] = this.#size;
    this.#middle = [
      Math.min(Math.max(this.#middle[0] - x / this.#scale, 0), width),
      Math.min(Math.max(this.#middle[1] - y / this.#scale, 0), height),
    ];
    this.#fits = false;
    this.#draw();
  }

  #draw() {
    cancelAnimationFrame(this.#due);
    this.#due = requestAnimationFrame(() => {
      for (const { of, canvas } of this.#shown) this.#paint(canvas, of);
      this.tell(this.#scale);
    });
  }

  #paint(canvas, layers) {
    const context = canvas.getContext("2d");
    const [width, height] = this.#size;
    const left = canvas.width / 2 - this.#middle[0] * this.#scale;
    const top = canvas.height / 2 - this.#middle[1] * this.#scale;
    const seam = Math.round(canvas.width * this.#divider);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = this.#scale < 1;
    context.imageSmoothingQuality = "high";
    for (const [side, { bitmap }] of layers.entries()) {
      context.save();
      if (layers.length > 1) {
        context.beginPath();
        context.rect(side ? seam : 0, 0, side ? canvas.width - seam : seam, canvas.height);
        context.clip();
      }
      const round = this.#scale === 1 ? Math.round : (x) => x;
      context.drawImage(
        bitmap,
        round(left),
        round(top),
        width * this.#scale,
        height * this.#scale,
      );
      context.restore();
    }
    if (layers.length > 1) {
      context.fillStyle = "white";
      context.fillRect(seam - 1, 0, 2, canvas.height);
      context.fillStyle = "black";
      context.fillRect(seam + 1, 0, 1, canvas.height);
    }
  }

  #wheel(event) {
    if (!this.#shown.length) return;
    event.preventDefault();
    this.#zoomTo(this.#scale * 2 ** (-event.deltaY / 400), this.#at(event));
  }

  /** The pointer's position relative to the centre of its canvas, in screen pixels. */
  #at(event) {
    const { canvas } = this.#under(event);
    const box = canvas.getBoundingClientRect();
    return [
      (event.clientX - box.left - box.width / 2) * devicePixelRatio,
      (event.clientY - box.top - box.height / 2) * devicePixelRatio,
    ];
  }

  #under(event) {
    return this.#shown.find(({ canvas }) => canvas === event.target) ?? this.#shown[0];
  }

  #down(event) {
    if (!this.#shown.length) return;
    this.#element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const part = this.#part(event);
    const width = this.#shown[0].canvas.clientWidth;
    this.#drags =
      this.#shown[0].of.length > 1 && Math.abs(part - this.#divider) * width < NEAR;
  }

  #part(event) {
    const box = this.#shown[0].canvas.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  }

  #move(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) return;
    const now = [event.clientX, event.clientY];
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    this.#pointers.set(event.pointerId, now);
    if (others.length) {
      const [, [x, y]] = others[0];
      const apart = ([a, b]) => Math.hypot(a - x, b - y);
      this.#zoomTo((this.#scale * apart(now)) / Math.max(apart(last), 1));
    } else if (this.#drags) this.slid(this.#part(event));
    else
      this.#pan(
        (now[0] - last[0]) * devicePixelRatio,
        (now[1] - last[1]) * devicePixelRatio,
      );
  }

  #key(event) {
    if (!this.#shown.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const far = this.#shown[0].canvas.width / 8;
    const act = {
      ArrowLeft: () => this.#pan(far, 0),
      ArrowRight: () => this.#pan(-far, 0),
      ArrowUp: () => this.#pan(0, far),
      ArrowDown: () => this.#pan(0, -far),
      "+": () => this.zoom(STEP),
      "=": () => this.zoom(STEP),
      "-": () => this.zoom(1 / STEP),
      0: () => this.fit(),
      1: () => this.one(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

function figure(layers) {
  const whole = document.createElement("figure");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", layers.map(({ label }) => label).join(" and "));
  whole.append(canvas);
  for (const [side, { label }] of layers.entries()) {
    const caption = document.createElement("figcaption");
    caption.className = side ? "right" : "";
    caption.textContent = label;
    whole.append(caption);
  }
  return whole;
}
