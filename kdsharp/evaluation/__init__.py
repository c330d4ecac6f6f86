"""Honest numbers: tables of quality, of speed, and the pictures that go with them."""
