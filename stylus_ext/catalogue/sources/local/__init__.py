"""LoRA folders as a source: headers, sidecars and names of files."""
