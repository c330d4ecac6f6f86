"""Optional packages, and the extra of this project that installs each."""

import importlib
import importlib.util
import sys
from types import ModuleType

from kdsharp.errors import UserError

# Module: its package, and the extra in setup.py that installs it. The names of packages
# that people know by another one are below.
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
# Module: its package, of what is always installed except by `launch/light.txt`.
_LEFT_OUT = {
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
_KNOWN_AS = {"av": "PyAV", "apache-beam": "Apache Beam", "torch": "PyTorch"}


def installed(*modules: str) -> bool:
    """Whether all of these modules can be imported."""
    return all(importlib.util.find_spec(module) for module in modules)


def require(*modules: str, purpose: str, extra: str = "") -> list[ModuleType]:
    """Imports these modules, or says which extra installs the one that is missing.

    `purpose` begins the sentence, as "exporting to ONNX"; `extra` is another than the
    module's own, where that brings more of what the purpose takes.
    """
    for module in modules:
        if not installed(module):
            raise missing(module, purpose=purpose, extra=extra)
    # OpenVINO's telemetry reports each use to its maker, unasked, and forks to do so;
    # without the package OpenVINO is silent.
    sys.modules.setdefault("openvino_telemetry", None)
    return [importlib.import_module(module) for module in modules]


def missing(module: str, *, purpose: str, extra: str = "") -> UserError:
    """The error that says which extra installs the module, or which package."""
    package, own = EXTRAS.get(module, (module, ""))
    extra = extra or own
    what = f"'kdsharp[{extra}]'" if extra else package
    return UserError(
        f"{purpose} needs {_KNOWN_AS.get(package, package)}, which is not installed: "
        f"pip install {what}"
    )


def left_out(error: ModuleNotFoundError) -> UserError | None:
    """The error that says what a light installation lacks, if it is that."""
    module = (error.name or "").partition(".")[0]
    if module not in _LEFT_OUT:
        return None
    return UserError(
        f"this verb needs {_LEFT_OUT[module]}, which a light installation leaves out: "
        "pip install kdsharp"
    )
