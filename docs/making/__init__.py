"""What makes the pages of the documentation that come from the program and from measurements; see docs/build.py."""
