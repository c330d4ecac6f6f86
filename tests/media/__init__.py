"""Tests of `kdsharp.media`."""
