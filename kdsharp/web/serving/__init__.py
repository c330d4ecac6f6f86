"""The server: the page, and an API that sharpens pictures.

`app` defines the routes, `work_queue` runs the networks one request at a time, `bodies`
reads request bodies and `answers` sends responses within limits, `timeouts` ends slow
connections, `hosts` and `forwarding` check host names and proxy headers, and `draining`
implements a graceful stop. Requests that are too large, too slow or invalid get one
sentence.
"""
