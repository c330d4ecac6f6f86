"""kdsharp distils a heavy image sharpener into one that runs live."""
