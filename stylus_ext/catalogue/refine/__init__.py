"""Refiners: cards in, descriptions out."""
