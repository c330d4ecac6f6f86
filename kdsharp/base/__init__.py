"""Utilities that every other package may use: files, locks, signals, cores, extras.

One idea per file, and nothing about networks or pictures. Modules here import nothing
else from this project but `kdsharp.errors`.
"""
