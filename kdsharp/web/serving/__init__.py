"""A server on this machine: the page, and pictures sharpened over HTTP.

`app` has the answers, `line` the one place where networks run and the line before it,
`bodies` reads what is sent as far as limits allow, `patience` ends connections that
dawdle. Whoever sends too much, too slowly or nonsense gets a sentence and no more.
"""
