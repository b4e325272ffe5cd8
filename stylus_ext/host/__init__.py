"""The WebUI's side: the AlwaysOn script, its panel, options and routes, and the engine process."""
