"""The catalogue: cards, descriptions, embeddings and the index."""
