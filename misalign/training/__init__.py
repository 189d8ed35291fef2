"""One training loop for every experiment, its checkpoints and its optimizer."""
