// The module for your own pages: `import { sharpen } from "./kdsharp/sharpen.js"`.

export { open, prepare, sharpen } from "./camera/live.js";
