"""How a command ends: exit codes and one line for everything that can go wrong.

0 good; 1 the work failed; 2 the request was wrong; 130 interrupted. A traceback is for developers: it goes to a file,
or with ``--debug`` to the screen.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import click

from bitloom import BitloomError, RequestError

INTERRUPTED = "interrupted; nothing half-written"


class Command(click.Command):
    """A command whose errors are one line. It takes ``--json`` and ``--debug`` beside its own options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object and nothing else to stdout."),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever is raised becomes a line and an exit code."""
        debug, as_json = ctx.params.pop("debug"), ctx.params["as_json"]
        _interrupt_once()
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException):
            raise
        except BaseException as error:
            if debug and not isinstance(error, KeyboardInterrupt | SystemExit):
                traceback.print_exc()
            message, code = explain(error, debug)
            fail(message, code, as_json)


class Group(click.Group):
    """The command line as a whole: help without a command, the nearest command for one that does not exist."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with the nearest name in the message."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = get_close_matches(name, self.list_commands(ctx), 1)
            raise click.UsageError(f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else
                                   f"; the commands are {', '.join(self.list_commands(ctx))}"))
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> NoReturn:  # type: ignore[override]
        """Run and exit. What click itself finds wrong (options, arguments) is one line, too."""
        kwargs["standalone_mode"] = False
        given = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(given, *rest, **kwargs)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(2)
        except click.ClickException as error:
            context = error.ctx if isinstance(error, click.UsageError) else None
            hint = f" (see {context.command_path} --help)" if context else ""
            fail(f"{_lower(error.format_message())}{hint}", error.exit_code, "--json" in given)
        except (click.Abort, KeyboardInterrupt):
            fail(INTERRUPTED, 130, "--json" in given)
        warnings.simplefilter("ignore")  # of objects that are collected now, which is nobody's concern
        sys.exit(code if isinstance(code, int) else 0)


def explain(error: BaseException, debug: bool = False) -> tuple[str, int]:
    """The line and the exit code for ``error``."""
    if isinstance(error, RequestError):
        return str(error), 2
    if isinstance(error, BitloomError):
        return str(error), 1
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, 130
    if isinstance(error, SystemExit):
        return "stopped", error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return "nobody reads the output any more", 1
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs, or use a smaller network", 1
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return _operating_system(error), 1
    if debug:
        return f"{type(error).__name__}: {error}", 1
    return f"an error inside bitloom, {type(error).__name__}: {error}{_logged(error)}", 1


def fail(message: str, code: int, as_json: bool = False) -> NoReturn:
    """End with one line on standard error, and with ``--json`` an object on standard output as well."""
    warnings.simplefilter("ignore")  # what was cut short has nothing to add
    line = " ".join(message.split())
    if as_json:
        from .console import Screen

        Screen(as_json=True).result({"error": line, "exit_code": code})
    click.secho(f"bitloom: {line}", err=True, fg="red" if sys.stderr.isatty() else None)
    sys.exit(code)


def _interrupt_once() -> None:
    """Let an interrupt, or a request to terminate, end the work in order: more of them do not disturb the tidying up.

    Terminals, ``make`` and ``timeout`` send several at once, and people press Ctrl-C twice. After two seconds the next
    one counts again.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    last = float("-inf")

    def interrupt(number: int, frame: object) -> None:
        nonlocal last
        if time.monotonic() - last > 2:
            last = time.monotonic()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _operating_system(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{where}: free some space and run the same again"
    if error.errno == errno.ENOENT:
        return f"{error.filename or 'a file'}: there is no such file"
    return f"{error.strerror}{where}"


def _logged(error: BaseException) -> str:
    """Save the traceback of ``error``, and say where."""
    try:
        handle, name = tempfile.mkstemp(prefix="bitloom-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return "; run it again with --debug to see more"
    return f"; the traceback is in {name}"


def _lower(text: str) -> str:
    return (text[:1].lower() if text[1:2].islower() else text[:1]) + text[1:].rstrip(".")
