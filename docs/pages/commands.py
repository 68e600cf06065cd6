"""The page of commands, from the command line's own parser."""

import argparse
import os
from collections.abc import Iterator
from unittest.mock import patch

from analysis.commands.cli import build_parser

from .ledger import plain


def made() -> dict[str, str]:
    """One page, a section a command."""
    parser = build_parser()
    lines = [
        "# Commands",
        "",
        f"{parser.description} Made from `cgro --help` and `cgro COMMAND --help`.",
        "",
        "Exit status of all: 0 if done, 2 for bad input, 130 if interrupted (Ctrl-C).",
    ]
    for name, command, text in commands(parser):
        lines += ["", f"(cgro-{name})=", f"## cgro {name}", "", plain(sentence(text)), ""]
        lines += [plain(command.description or ""), "", "```text", usage(command), "```", ""]
        lines += [line for action in command._actions for line in option(action)]
        if command.epilog:
            lines += ["```text", command.epilog % {"prog": command.prog}, "```"]
    return {"commands.md": "\n".join(lines) + "\n"}


def commands(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Name, parser and help of each command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            yield from ((name, child, texts[name]) for name, child in action.choices.items())


def usage(command: argparse.ArgumentParser) -> str:
    """The command's usage, as wide as a page."""
    with patch.dict(os.environ, {"COLUMNS": "84", "NO_COLOR": "1"}):
        return command.format_usage().removeprefix("usage: ").strip()


def option(action: argparse.Action) -> Iterator[str]:
    r"""An entry of a definition list: how the option is written, and what it does.

    >>> parser = argparse.ArgumentParser()
    >>> list(option(parser.add_argument("--jobs", metavar="N", help="a/* [N]")))
    ['`--jobs N`', ': a/\\* \\[N\\]', '']
    """
    if action.help == argparse.SUPPRESS:
        return
    formatter = argparse.HelpFormatter("cgro")
    written = formatter._format_action_invocation(action)
    text = (action.help or "") % {**vars(action), "prog": "cgro"}
    yield from (f"`{written}`", f": {plain(text)}", "")


def sentence(text: str) -> str:
    """With a capital and a period.

    >>> sentence("check a file")
    'Check a file.'
    """
    return f"{text[:1].upper()}{text[1:]}."
