"""What captions leave out, what they get wrong, and what to do about it."""
