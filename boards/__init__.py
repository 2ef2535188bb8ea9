"""Boards: their descriptions, tops and pins, the flow to a bitstream, programming, the host client, the report."""
