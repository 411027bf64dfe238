"""What people said about faces and people: a log that is only added to, and what it comes to."""
