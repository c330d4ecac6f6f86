"""Training: state, step, loop, checkpoints, and the devices they run on.

One loop serves teachers and students; a teacher is a run without a teacher. Step N is
the same whether or not the run was interrupted.
"""
