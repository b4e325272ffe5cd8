"""Stylus for WebUI: from a prompt to the LoRAs that fit it."""

__version__ = "0.2.0.dev0"
