"""Pictures of results: curves, residuals, spectra, quality against speed, samples."""
