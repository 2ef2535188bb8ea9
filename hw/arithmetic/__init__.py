"""Arithmetic that several units share: products and their trees, codes of weights, what sums can reach."""
