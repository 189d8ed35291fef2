"""What the theorem predicts, and what its proof is made of."""
