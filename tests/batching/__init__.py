"""Tests of kdsharp/batching."""
