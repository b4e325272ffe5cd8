"""The prompt as text: parsed without loss, cut into pieces, spans and words."""
