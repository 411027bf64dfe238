"""The library on disk: what was computed, once, and the people made of it."""
