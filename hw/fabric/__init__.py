"""The stream fabric: what stands between units."""
