"""Made-up people: a portrait renderer and a meeting drawn with it, for the demo and the tests."""
