"""Installs kdsharp: `pip install -e .` from a clone."""

from setuptools import find_packages, setup

setup(
    name="kdsharp",
    version="0.1.0",
    description="Distil a heavy image sharpener into one that runs live.",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["kdsharp", "kdsharp.*"]),
    package_data={"kdsharp.weights": ["zoo/*.safetensors", "zoo/*.json"]},
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
        "notebooks": ["jupyterlab>=4.4"],
        "test": [
            "ipykernel>=6.29",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "pytorch-msssim>=1.0",
            "ruff>=0.14",
            "tensorboard>=2.19",
        ],
        "torch": ["torch==2.13.0"],
    },
)
