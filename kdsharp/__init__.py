"""kdsharp distils a heavy image sharpener into one that runs live.

    import kdsharp

    sharpen = kdsharp.load("rt-s-bicubic2")
    sharp = sharpen(picture)

`picture` is a NumPy array or a Pillow image, and so is what comes back.
"""

__all__ = ["__version__", "load"]

# The only place that states it: setup.py, --version and exported files read it here.
__version__ = "0.2.0"


def __getattr__(name: str):
    # JAX takes a second to import: only who asks waits for it.
    if name == "load":
        from kdsharp.runtime.restore import load

        return load
    raise AttributeError(f"module 'kdsharp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
