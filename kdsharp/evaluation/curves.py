"""Loss and quality over the steps of a run, as a picture."""

from pathlib import Path


def plot(records: list[dict], input_psnr: float, path: Path) -> None:
    """Writes the curves of `metrics.jsonl`'s records as PNG."""
    # Slow to import, and only the end of a run draws.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, quality = figure.subplots(1, 2)
    trained = [r for r in records if "train/loss" in r]
    terms = [key for key in (trained[0] if trained else ()) if _is_loss(key)]
    for term in terms:
        loss.plot(
            [r["step"] for r in trained],
            [r[term] for r in trained],
            label=term.removeprefix("train/"),
        )
    loss.set(xlabel="step", yscale="log", title="training loss")
    if terms:
        loss.legend()
    scored = [r for r in records if "valid/psnr" in r]
    quality.plot(
        [r["step"] for r in scored],
        [r["valid/psnr"] for r in scored],
        marker="o",
        markersize=3,
        label="network",
    )
    quality.axhline(input_psnr, color="grey", linestyle="--", label="input")
    quality.set(xlabel="step", ylabel="PSNR, dB", title="validation")
    quality.legend()
    figure.savefig(path, dpi=110)


def _is_loss(key: str) -> bool:
    return key.startswith("train/") and key not in (
        "train/learning_rate",
        "train/grad_norm",
    )
