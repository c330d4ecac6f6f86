// For pages of others: `import { sharpen } from "./kdsharp/sharpen.js"`.

export { open, prepare, sharpen } from "./camera/live.js";
