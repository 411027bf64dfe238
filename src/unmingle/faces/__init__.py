"""From a picture to aligned faces and their embeddings."""
