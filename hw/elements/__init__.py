"""Units over the elements of a vector: thresholds, requantization, tables, sums, concatenation, argmax."""
