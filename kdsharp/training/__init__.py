"""Training: state, step, loop, checkpoints, and the devices they run on.

One loop trains both teachers and students; a teacher is trained without a teacher. Step
N is the same whether or not the run was interrupted.
"""
