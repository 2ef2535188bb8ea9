"""BitSerialMatVec: the bit planes of the weights one after another."""
