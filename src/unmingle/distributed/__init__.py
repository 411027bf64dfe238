"""The same job past one machine: faces are found and grouped on a Ray cluster (the extra `ray`)."""
