"""Shared settings: one thread a worker, headless plots, and names for doctests."""

import os

import matplotlib
import pytest
import torch
from hypothesis import settings

# what passed once passes again
settings.register_profile("cgro", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("search", max_examples=30, deadline=None)  # new examples each time
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "cgro"))
matplotlib.use("Agg")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_folder():
    folder = os.environ.get("CGRO_DATA")
    if not folder:
        pytest.skip("CGRO_DATA is unset: no real image data on this machine")
    return folder
