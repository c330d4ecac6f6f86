"""Runs the modules of a site in Node.js, as a browser would."""

import pathlib
import shutil
import subprocess

from kdsharp.base import optional

_PROGRAM = shutil.which("node")
CAN = _PROGRAM is not None and optional.installed("onnx", "onnxruntime")
WHY_NOT = "needs Node.js, onnx and onnxruntime"

# Addresses are files. `network` is the first of the site, `frames` are those given, and
# `save` replaces them.
_START = """
import fs from "node:fs";
globalThis.fetch = async (path) => new Response(
  fs.readFileSync(/^file:/.test(path) ? new URL(path) : path),
  { headers: { "content-type": "application/wasm" } });
const [site, given] = process.argv.slice(2);
const { read } = await import(`${site}/site.js`);
const { networks: [network] } = await read();
const frames = fs.readFileSync(given);
const save = (parts) =>
  fs.writeFileSync(given, Buffer.concat(parts.map((part) => Buffer.from(part))));
"""


def run(site: pathlib.Path, code: str, frames: bytes) -> tuple[str, bytes]:
    """Runs code with a file of frames; returns its output and what it saved."""
    (site / "package.json").write_text('{"type": "module"}')
    program, given = site / "run.mjs", site / "frames"
    program.write_text(_START + code)
    given.write_bytes(frames)
    told = subprocess.run(
        [_PROGRAM, program, site, given], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return told, given.read_bytes()


def runtime(body: str) -> str:
    """A module in place of onnxruntime-web; `body` is how its sessions run."""
    return f"""
export const env = {{ wasm: {{}} }};
export class Tensor {{
  constructor(type, data, dims) {{ Object.assign(this, {{ type, data, dims }}); }}
}}
export const InferenceSession = {{ create: async () => ({{
  run: async ({{ blurred, gains }}) => {{ {body} }},
}}) }};
"""
