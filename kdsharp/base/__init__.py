"""What every other package may use: files, locks, signals, cores, optional packages.

One idea a file, nothing of networks or pictures. Nothing here imports another package
of this project.
"""
