"""The commands, one file each or a few that belong together. What a command needs is imported when it runs."""
