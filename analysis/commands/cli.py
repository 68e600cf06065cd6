"""The `cgro` command: its commands' files put together.

Nothing here loads PyTorch: each command loads what it uses when it runs.
"""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Callable, Sequence

from .certifying import add_certify_command
from .checking import add_check_command
from .comparing import add_compare_command
from .counting import add_count_command
from .networks import add_export_command, add_network_commands
from .study import add_study_commands
from .sweep import add_sweep_command
from .training import add_training_commands
from .verify import add_verify_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0: done, 2: bad input, 130: interrupted)."""
    options = build_parser().parse_args(arguments)
    usual, warnings.formatwarning = warnings.formatwarning, in_words
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    # what a command line or file can be wrong in; a TypeError is a mistake of the program
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"cgro {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        if arguments is None:  # the process ends: another Ctrl-C adds nothing
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        note = str(interrupt) or "files of an earlier run, if any, are as they were"
        print(f"cgro {options.command}: interrupted; {note}", file=sys.stderr)
        return 130
    finally:
        warnings.formatwarning = usual
    return 0


def in_words(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A warning without the line of code that gives it."""
    return f"cgro: {'' if category is UserWarning else category.__name__ + ': '}{message}\n"


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="cgro",
        description="Constructed ReLU networks: build, count, inspect, compare with learned ones.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_compare_command(commands)
    add_training_commands(commands)
    add_sweep_command(commands)
    add_study_commands(commands)
    add_verify_command(commands)
    add_count_command(commands)
    add_network_commands(commands)
    add_certify_command(commands)
    add_check_command(commands)
    add_export_command(commands)
    return parser
