"""Memories: constants and words that are written while an engine runs, and where they are kept."""
