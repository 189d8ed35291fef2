"""Zero-shot scores of models of pictures and text, by group of concepts (the slides)."""
