"""What each verb of `kdsharp` does, once its arguments are parsed.

`kdsharp VERB` is parsed in `kdsharp.cli.VERB` and done here, in a module of the same
name; `eval` has two, for pictures and for video. A command checks what it is given,
calls the packages that do the work, prints the result, and returns the exit status
where that is not 0.
"""
