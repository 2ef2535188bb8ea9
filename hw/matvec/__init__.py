"""MatVec, the folded matrix–vector unit of select-add and XNOR-popcount, and what the other engines share with it."""
