"""The browser: a page that sharpens pictures and webcams, and a server.

`page/` contains plain JavaScript modules without a bundler; `build` combines it with
networks and onnxruntime-web to a static site. `serving/` sharpens over HTTP with the
Python runtime. Pictures that a person opens in the page stay in the browser.
"""
