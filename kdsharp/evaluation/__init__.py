"""Evaluation: quality, speed and video calls, with tables and plots."""
