"""Lets `python -m analysis` stand for the `cgro` command."""

import sys

from .cli import main

sys.exit(main())
