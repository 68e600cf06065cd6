"""Lets `python -m analysis` stand for the `cgro` command."""

import sys

from .commands.cli import main

sys.exit(main())
