"""The engine's private environment: build, switch, check, remove. Standard library only."""
