"""A server on this machine: the page, and pictures sharpened over HTTP.

`app` has the answers, `work_queue` the one place where networks run and the queue
before it. `bodies` reads what is sent, and `answers` sends what was made, as far as
limits allow; `timeouts` ends connections that are too slow. `hosts` and `forwarding`
say who is answered, also behind a proxy, and `draining` how it stops. Whoever sends too
much, too slowly or nonsense gets a sentence and no more.
"""
