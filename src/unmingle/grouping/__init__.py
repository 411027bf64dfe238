"""From embeddings to clusters."""
