"""The browser: a page that sharpens pictures and cameras, and a server beside it.

`page/` is what a browser loads, plain modules without a bundler; `build` joins it with
the networks and onnxruntime-web to a folder that any host serves. `serving/` answers
over HTTP with the Python runtime. What a person opens in the page stays there.
"""
