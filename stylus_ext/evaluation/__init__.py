"""Measures: the selection and segmentation benchmark, and the speed at 100,000 adapters."""
