"""How many captions name each concept (the slides' second validation)."""
