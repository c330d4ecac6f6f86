"""Networks of luma for video as WebAssembly of their own, in 16 bits.

`assembler` writes WebAssembly, `rows` the convolutions of one row of a picture, and
`module` joins them with a network's numbers. A page needs nothing else to run one:
what gives rows to it is `page/camera/kernel.js`.
"""
