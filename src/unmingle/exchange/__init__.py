"""What goes to other programs, and the names that come from them."""
