"""Shapes are checked; and what every doctest may use: two names and an empty folder."""

import os
from fractions import Fraction

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a worker, and a process that it starts

import pytest
import shape_checks
import torch

shape_checks.install()  # before anything imports the packages

collect_ignore = ["docs/auto", "docs/conf.py", "docs/gallery"]  # for Sphinx; tests/docs runs them


@pytest.fixture(autouse=True)
def _doctests(doctest_namespace, request, tmp_path_factory, monkeypatch):
    doctest_namespace.update(Fraction=Fraction, torch=torch)
    # examples write their files where nobody minds
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path_factory.mktemp("example"))
