"""Zero-shot scores of models of images and text, by group of concepts (the slides)."""
