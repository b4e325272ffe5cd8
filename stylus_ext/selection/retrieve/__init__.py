"""Find candidates for a prompt."""
