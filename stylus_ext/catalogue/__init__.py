"""The actors: each module implements one port of stylus_ext.core.ports."""
