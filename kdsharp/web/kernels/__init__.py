"""Networks for luma as dedicated WebAssembly modules in 16-bit arithmetic.

`assembler` writes WebAssembly, `rows` the convolutions of one row of a picture, and
`module` combines them with the weights of a network. `page/camera/kernel.js` runs the
module, row by row.
"""
