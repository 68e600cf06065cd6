"""Processes for tasks that are compared side by side, which begin with all that they import."""

from __future__ import annotations

from multiprocessing import forkserver, get_all_start_methods, get_context

STARTING = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
"""How such a process begins: as a copy of one that has loaded everything and done nothing."""

LOADED = ["analysis.comparison.comparison", "lightning_fabric"]


def prepare() -> None:
    """Let a process beside this one load what they import, while this one does so, too."""
    if STARTING == "forkserver":
        get_context(STARTING).set_forkserver_preload(LOADED)
        forkserver.ensure_running()
