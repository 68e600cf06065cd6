"""The command `cgro`, and a clear word where another package has the name of one of cgro's."""

from __future__ import annotations

import sys
from importlib import import_module

PACKAGES = ("constructions", "training", "analysis")


def main() -> int:
    """Run the command line; returns the exit status."""
    try:
        check_names(*PACKAGES)
        from analysis.commands.cli import main as run
    except ImportError as error:
        print(f"cgro: {error}", file=sys.stderr)
        return 2
    return run()


def check_names(*names: str) -> None:
    """Raise ImportError unless the packages that Python finds under these names are cgro's: another
    one may come first on the path, or may have been installed over it.
    """
    for name in names:
        found = import_module(name)
        if not hasattr(found, "_load"):  # how all roots of cgro load their names
            where = getattr(found, "__file__", None) or ", ".join(found.__path__)
            raise ImportError(
                f"the package {name} of cgro is hidden by another of this name, {where}: rename "
                f"that one, take it off the path (PYTHONPATH, the folder of the script), or, if it "
                f"was installed over cgro, uninstall both and install cgro into an environment of "
                f"its own"
            )


if __name__ == "__main__":
    sys.exit(main())
