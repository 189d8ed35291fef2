"""The studies of the book: what differs from one experiment to another."""
