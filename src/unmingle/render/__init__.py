"""A library as one page of html that opens from disk, for whoever wants to see what was found."""
