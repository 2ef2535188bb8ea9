"""The ``bitloom`` command: a thin layer over the packages, one file per command in :mod:`bitloom.cli.commands`."""
