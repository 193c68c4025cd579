"""Benchmarks of the tap against its peers, on the simulator: `python -m benchmarks --help`."""
