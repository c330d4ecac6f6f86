"""What things cost: loading, steps, whole runs, a browser; each file is a command."""
