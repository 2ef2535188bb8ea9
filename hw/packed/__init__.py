"""PackedMatVec: several products in each of the device's multipliers."""
