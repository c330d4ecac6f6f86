"""The commands of `kdsharp`, called once their arguments are parsed.

`kdsharp VERB` is parsed in `kdsharp.cli.VERB` and runs in the module of the same name
here; `eval` has two, for pictures and for video. A command validates its arguments,
calls the packages that do the work, prints the result, and returns the exit status if
it is not 0.
"""
