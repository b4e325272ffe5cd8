"""A server of the Model Context Protocol over a running engine."""
