// For pages of others: `import { sharpen } from "./kdsharp/sharpen.js"`.

export { open, sharpen } from "./camera/live.js";
