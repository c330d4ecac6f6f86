"""Trained weights: `NAME.safetensors` with a card, `NAME.json`.

The card documents the weights: architecture and arguments, degradation, data and its
licence, recipe, scores.
"""
