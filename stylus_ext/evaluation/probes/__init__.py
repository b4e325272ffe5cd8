"""Probes: what a LoRA does to pictures, measured by making some."""
