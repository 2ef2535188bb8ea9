"""The names of a module's ports in emitted Verilog.

Below the top, Amaranth numbers a port whose name is taken inside the module (``o__valid$46``); the number is not part
of the interface.
"""

from __future__ import annotations

import re

from bitloom import WorkError

STREAMS = tuple(f"{port}__{signal}" for port in ("i", "o") for signal in ("payload", "valid", "ready"))
"""The ports of a component with the streams ``i`` and ``o``."""


def ports_of(verilog: str, module: str, wanted: tuple[str, ...]) -> dict[str, str]:
    """The name of each of the ``wanted`` ports in ``module`` of the text ``verilog``.

    :raises WorkError: the module or a port is not there.
    """
    head = re.search(rf"^module \\?{re.escape(module)} ?\(([^;]*)\);", verilog, re.MULTILINE)
    if head is None:
        raise WorkError(f"rtl/top.v holds no module {module!r}: compile the design again")
    names = [name.strip().removeprefix("\\") for name in head.group(1).split(",")]
    found: dict[str, str] = {}
    for port in wanted:
        same = [name for name in names if re.fullmatch(rf"{re.escape(port)}(\$\d+)?", name)]
        if len(same) != 1:
            raise WorkError(f"module {module!r} of rtl/top.v must have one port {port}, and it has "
                            f"{', '.join(same) or 'none'}: compile the design again")
        found[port] = same[0]
    return found
