"""Units over one or two spatial axes: windows, pools, padding."""
