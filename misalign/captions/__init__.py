"""Captions: templates, content words, color names, tokens, vocabulary (Tables 6 to 11)."""
