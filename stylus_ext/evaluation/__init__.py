"""Benchmarks of quality and speed, and the training of the small models."""
