"""The WebUI's side: an AlwaysOn script, its panel and options, and the engine it starts and
asks.
"""
