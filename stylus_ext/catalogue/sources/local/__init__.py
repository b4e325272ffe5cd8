"""Cards from a folder of LoRA files: their headers, their sidecars and their names."""
