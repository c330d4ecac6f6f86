"""Tests of `kdsharp.runtime`."""
