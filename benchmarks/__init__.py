"""Measures the product beside its limits and peers, interleaved in one run: `python -m benchmarks`, `make bench`."""
