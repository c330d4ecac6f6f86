"""What training costs: loading, blurring, steps, whole runs; each file is a command."""
