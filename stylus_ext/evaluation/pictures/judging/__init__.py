"""Have people or a language model that sees judge the pictures of a run."""
