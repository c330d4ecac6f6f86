"""Plots: training curves, residuals, error spectra, quality against speed."""
