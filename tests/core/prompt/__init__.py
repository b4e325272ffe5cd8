"""Tests of the prompt's parts."""
