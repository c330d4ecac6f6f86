"""Packs a network's many small arrays into a few large ones for the optimizer.

An optimizer that works per matrix or per element gives the same updates, but with far
fewer kernels to launch, which dominate its time on an accelerator. Matrices of one
shape are stacked; all other parameters are concatenated to one vector.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

MATRICES, REST = "matrices", "rest"


def wrap(
    rule: optax.GradientTransformation, is_matrix: Callable[[jax.Array], bool]
) -> optax.GradientTransformation:
    """Wraps an optimizer so that it gets any tree of arrays packed.

    The packed tree is a dict of `matrices`, stacks by shape, and `rest`, a vector.
    """

    def pack(tree):
        stacks, rest = {}, []
        for leaf in jax.tree.leaves(tree):
            if is_matrix(leaf):
                stacks.setdefault(_name(leaf), []).append(leaf)
            else:
                rest.append(jnp.ravel(leaf))
        return {
            MATRICES: {name: jnp.stack(leaves) for name, leaves in stacks.items()},
            REST: jnp.concatenate(rest) if rest else jnp.zeros(0),
        }

    def unpack(packed, like):
        leaves, place = [], 0
        stacks = {name: iter(stack) for name, stack in packed[MATRICES].items()}
        for leaf in jax.tree.leaves(like):
            if is_matrix(leaf):
                leaves.append(next(stacks[_name(leaf)]))
            else:
                flat = packed[REST][place : place + leaf.size]
                leaves.append(flat.reshape(leaf.shape))
                place += leaf.size
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    def init(params):
        return rule.init(pack(params))

    def update(updates, state, params=None):
        packed, state = rule.update(pack(updates), state, pack(params))
        return unpack(packed, updates), state

    return optax.GradientTransformation(init, update)


def _name(leaf: jax.Array) -> str:
    return "x".join(map(str, leaf.shape))
