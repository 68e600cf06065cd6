"""Names that every doctest may use."""

from fractions import Fraction

import pytest
import torch


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace):
    doctest_namespace.update(Fraction=Fraction, torch=torch)
