"""The user's own pictures as a source of cards."""
