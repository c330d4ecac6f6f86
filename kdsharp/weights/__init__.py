"""Named weights: `NAME.safetensors` beside a card, `NAME.json`.

The card says what a stranger needs to use and to judge the weights: the architecture
and its arguments, the degradation, the data and its licence, the recipe, the scores.
"""
