"""TableMatVec: sums of a few activations looked up in tables."""
