"""Stylus's tests; they mirror the package."""
