"""Optional packages, and the extra of kdsharp that installs each."""

import importlib
import importlib.util
import sys
from types import ModuleType

from kdsharp.errors import UserError

# For each module its package, and the extra in setup.py that installs it.
EXTRAS = {
    "apache_beam": ("apache-beam", "batch"),
    "av": ("av", "video"),
    "huggingface_hub": ("huggingface-hub", "hub"),
    "imageio_ffmpeg": ("imageio-ffmpeg", "vmaf"),
    "onnx": ("onnx", "onnx"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
    "playwright": ("playwright", "test"),
    "pyvirtualcam": ("pyvirtualcam", "camera"),
    "starlette": ("starlette", "serve"),
    "torch": ("torch", "torch"),
    "uvicorn": ("uvicorn", "serve"),
    "wandb": ("wandb", "wandb"),
}
# Module: its package. A light installation (`launch/light.txt`) lacks these.
_NOT_IN_LIGHT = {
    "dm_pix": "dm-pix",
    "grain": "grain",
    "matplotlib": "matplotlib",
    "ml_collections": "ml-collections",
    "optax": "optax",
    "orbax": "orbax-checkpoint",
    "skimage": "scikit-image",
    "tensorboardX": "tensorboardX",
    "tensorflow_datasets": "tensorflow-datasets",
}
# Packages that are better known by another name.
_KNOWN_AS = {"av": "PyAV", "apache-beam": "Apache Beam", "torch": "PyTorch"}


def installed(*modules: str) -> bool:
    """Checks that all of the modules can be imported, without importing them."""
    return all(importlib.util.find_spec(module) for module in modules)


def require(*modules: str, purpose: str, extra: str = "") -> list[ModuleType]:
    """Imports the modules; raises an error that names the extra if one is missing.

    `purpose` begins the message, such as "exporting to ONNX". `extra` overrides the
    module's own extra in the message, where another one installs more of what is
    needed.
    """
    for module in modules:
        if not installed(module):
            raise missing(module, purpose=purpose, extra=extra)
    # OpenVINO reports usage to Intel by default, from a forked process. Hiding its
    # telemetry package disables that.
    # None, which the type of `sys.modules` leaves out, is a module that is not there.
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
    return [importlib.import_module(module) for module in modules]


def missing(module: str, *, purpose: str, extra: str = "") -> UserError:
    """Creates the error for a missing module, with the command that installs it."""
    package, own = EXTRAS.get(module, (module, ""))
    extra = extra or own
    what = f"'kdsharp[{extra}]'" if extra else package
    return UserError(
        f"{purpose} needs {_KNOWN_AS.get(package, package)}, which is not installed: "
        f"pip install {what}"
    )


def left_out(error: ModuleNotFoundError) -> UserError | None:
    """Converts the error of importing a package that a light installation lacks.

    None for any other module.
    """
    module = (error.name or "").partition(".")[0]
    if module not in _NOT_IN_LIGHT:
        return None
    return UserError(
        f"this verb needs {_NOT_IN_LIGHT[module]}, which a light installation leaves "
        "out: pip install kdsharp"
    )
