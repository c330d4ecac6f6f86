// Runs a network on luma planes as dedicated WebGPU compute shaders, one pass per layer,
// with the weights of its WebAssembly module but in floating point.

const PLACES = 9;
const FOLDED = 4;
const BYTES = 4;
const GROUP = 8;
// The scale of pixels in the WebAssembly module.
const PIXEL_SCALE = 16;
const PAGE = 65536;

/** Creates a restorer of planes of that size. */
export async function open(kernel, width, height) {
  const adapter = await navigator.gpu.requestAdapter({
    powerPreference: "high-performance",
  });
  const device = await adapter.requestDevice({
    requiredLimits: {
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      maxBufferSize: adapter.limits.maxBufferSize,
    },
  });
  try {
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    const run = await build(device, kernel, width, height);
    for (let n = 0; n < 2; n++) {
      const error = await device.popErrorScope();
      if (error) throw new Error(`WebGPU: ${error.message}`);
    }
    return { ...run, close: () => device.destroy() };
  } catch (error) {
    device.destroy();
    throw error;
  }
}

async function build(device, kernel, width, height) {
  const [across, down] = [width / 2, height / 2];
  const stride = Math.ceil(width / BYTES) * BYTES;
  const depth = kernel.numbers.length;
  const size = { across, down, width, stride, filters: kernel.width };
  const { STORAGE, UNIFORM, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const buffer = (bytes, usage) =>
    device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
  const activations = () => buffer(across * down * kernel.width * BYTES, STORAGE);

  const pixels = buffer(width * height, STORAGE | COPY_DST);
  const levels = buffer((4 + kernel.width) * BYTES, UNIFORM | COPY_DST);
  const restored = buffer(stride * height, STORAGE | COPY_SRC);
  const read = buffer(stride * height, MAP_READ | COPY_DST);
  const turns = [activations(), activations()];
  // The input of the skip connection must not be overwritten.
  const first = kernel.skip ? activations() : turns[1];

  const numbers = await numbersOf(kernel);
  const passes = numbers.map((values, n) => {
    const layer = n + 1;
    const weights = buffer(values.byteLength, STORAGE | COPY_DST);
    device.queue.writeBuffer(weights, 0, values);
    const kind = { first: layer === 1, last: layer === depth };
    kind.adds = kernel.skip && layer === depth - 1;
    const code = wgsl({ ...size, ...kind });
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const into = layer === 1 ? first : turns[layer % 2];
    const from = layer === 2 ? first : turns[(layer + 1) % 2];
    const given = [weights, kind.first ? pixels : from, kind.last ? restored : into];
    // A bind group may contain only what the shader uses.
    if (kind.first || kind.last) given.push(levels);
    if (kind.adds) given.push(first);
    if (kind.last) given.push(pixels);
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: given.map((resource, binding) => ({
        binding,
        resource: { buffer: resource },
      })),
    });
    const columns = kind.last ? Math.ceil(across / 2) : across;
    return { pipeline, group, groups: [columns, down].map((x) => Math.ceil(x / GROUP)) };
  });

  const uniforms = new Float32Array(4 + kernel.width).fill(1);
  const plane = new Uint8Array(width * height);
  return {
    /** Restores a plane; gains scale the input of the last layer. */
    async run(input, { black, span, strength }, gains) {
      uniforms.set([black, span, strength * span]);
      if (gains) uniforms.set(gains, 4);
      device.queue.writeBuffer(levels, 0, uniforms);
      device.queue.writeBuffer(pixels, 0, input, 0, width * height);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, groups } of passes) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...groups);
      }
      pass.end();
      encoder.copyBufferToBuffer(restored, 0, read, 0, stride * height);
      device.queue.submit([encoder.finish()]);
      await read.mapAsync(GPUMapMode.READ);
      const padded = new Uint8Array(read.getMappedRange(0, stride * height));
      for (let y = 0; y < height; y++)
        plane.set(padded.subarray(y * stride, y * stride + width), y * width);
      read.unmap();
      return plane;
    },
  };
}

/** The matrices, biases and slopes of each layer, in the shader's layout. */
async function numbersOf(kernel) {
  const module = await WebAssembly.compileStreaming(fetch(kernel.url));
  const initial = Math.ceil(kernel.end / PAGE);
  const memory = new WebAssembly.Memory({ initial, maximum: PAGE, shared: true });
  // The module's data segment then lies where its own code would read it.
  await WebAssembly.instantiate(module, { page: { memory } });
  const depth = kernel.numbers.length;
  return kernel.numbers.map((start, n) => {
    const channels = n ? kernel.width : FOLDED;
    const filters = n < depth - 1 ? kernel.width : FOLDED;
    const count = PLACES * channels * filters;
    const whole = new Int16Array(memory.buffer, start, count);
    const parts = n < depth - 1 ? 3 : 2;
    const floats = new Float32Array(memory.buffer, start + 2 * count, parts * filters);
    const values = new Float32Array(count + (parts - 1) * filters);
    // Reorders [place, channel pair, filter, channel of the pair], in groups of four
    // filters, to matrices of four channels by four filters.
    for (let at = 0; at < count; at++) {
      const channel = 2 * (Math.floor(at / (2 * filters)) % (channels / 2)) + (at % 2);
      const filter = Math.floor(at / 2) % filters;
      const place = Math.floor(at / (channels * filters));
      const quads = (place * channels) / 4 + Math.floor(channel / 4);
      const matrix = quads * (filters / 4) + Math.floor(filter / 4);
      values[16 * matrix + 4 * (channel % 4) + (filter % 4)] = whole[at] * floats[filter];
    }
    values.set(floats.subarray(filters), count);
    return values;
  });
}

const times = (count, line) => Array.from({ length: count }, (_, n) => line(n)).join("\n");

/** The shader code of one layer. */
function wgsl({ across, down, width, stride, filters, first, last, adds }) {
  const [into, out] = [first ? 1 : filters / 4, last ? 1 : filters / 4];
  const biases = 4 * PLACES * into * out;
  const bytes = (name) => `
    fn ${name}_byte(i: i32) -> f32 {
      return f32((${name}[i >> 2u] >> (8u * u32(i & 3))) & 255u);
    }`;
  const see = first
    ? `let i = 2 * (y * ${width} + x);
       let seen = vec4f(before_byte(i), before_byte(i + 1),
         before_byte(i + ${width}), before_byte(i + ${width + 1}));
       return (seen - levels.black) * (${PIXEL_SCALE}.0 / levels.span);`
    : `return before[(y * ${across} + x) * ${into} + c]${last ? " * levels.gains[c]" : ""};`;
  return `
    struct Levels { black: f32, span: f32, amount: f32, unused: f32,
      gains: array<vec4f, ${filters / 4}> }
    @group(0) @binding(0) var<storage, read> numbers: array<vec4f>;
    @group(0) @binding(1) var<storage, read> before: array<${first ? "u32" : "vec4f"}>;
    @group(0) @binding(2) var<storage, read_write> after: array<${last ? "u32" : "vec4f"}>;
    ${first || last ? "@group(0) @binding(3) var<uniform> levels: Levels;" : ""}
    ${adds ? "@group(0) @binding(3) var<storage, read> more: array<vec4f>;" : ""}
    ${last ? "@group(0) @binding(4) var<storage, read> pixels: array<u32>;" : ""}
    ${first ? bytes("before") : ""}
    ${last ? bytes("pixels") : ""}

    fn matrix(i: i32) -> mat4x4f {
      return mat4x4f(numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]);
    }

    fn see(x: i32, y: i32, c: i32) -> vec4f {
      if (x < 0 || y < 0 || x >= ${across} || y >= ${down}) { return vec4f(); }
      ${see}
    }

    fn convolved(x: i32, y: i32) -> array<vec4f, ${out}> {
      ${times(out, (f) => `var sum${f} = numbers[${biases + f}];`)}
      for (var place = 0; place < ${PLACES}; place++) {
        for (var c = 0; c < ${into}; c++) {
          let seen = see(x + place % 3 - 1, y + place / 3 - 1, c);
          let i = 4 * (place * ${into} + c) * ${out};
          ${times(out, (f) => `sum${f} += matrix(i + ${4 * f}) * seen;`)}
        }
      }
      return array<vec4f, ${out}>(${times(out, (f) => `sum${f},`)});
    }

    @compute @workgroup_size(${GROUP}, ${GROUP})
    fn main(@builtin(global_invocation_id) id: vec3u) {
      let y = i32(id.y);
      ${last ? unfold(across, down, width, stride) : keep(across, down, out, biases, adds)}
    }`;
}

/** The shader code that applies a leaky ReLU and stores the result. */
function keep(across, down, out, biases, adds) {
  return `
    let x = i32(id.x);
    if (x >= ${across} || y >= ${down}) { return; }
    let sums = convolved(x, y);
    let at = (y * ${across} + x) * ${out};
    ${times(
      out,
      (f) => `after[at + ${f}] = max(sums[${f}], vec4f())
        + numbers[${biases + out + f}] * min(sums[${f}], vec4f())
        ${adds ? `+ more[at + ${f}]` : ""};`,
    )}`;
}

/** The shader code that adds the residual of two places to four pixels of two lines. */
function unfold(across, down, width, stride) {
  return `
    let x = 2 * i32(id.x);
    if (x >= ${across} || y >= ${down}) { return; }
    let a = convolved(x, y)[0];
    let b = convolved(x + 1, y)[0];
    let i = 2 * (y * ${width} + x);
    let o = 2 * (y * ${stride} + x) / 4;
    ${times(
      2,
      (line) => `{
        let i = i + ${line * width};
        let shown = vec4f(pixels_byte(i), pixels_byte(i + 1), pixels_byte(i + 2),
          pixels_byte(i + 3));
        let added = vec4f(a.${line ? "zw" : "xy"}, b.${line ? "zw" : "xy"});
        let sharp = vec4u(clamp(round(shown + levels.amount * added), vec4f(),
          vec4f(255)));
        after[o + ${(line * stride) / 4}] =
          sharp.x | (sharp.y << 8u) | (sharp.z << 16u) | (sharp.w << 24u);
      }`,
    )}`;
}
