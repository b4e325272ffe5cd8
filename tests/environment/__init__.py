"""Tests of the private environment: real pip over tiny wheels, real kills, real locks."""
