"""The networks: model cards, their files, and sessions that run them."""
