"""Tests of launch/: as far as a machine without these services can."""
