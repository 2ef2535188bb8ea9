"""The rungs of the ladder, one file each: what is compared, and how."""
