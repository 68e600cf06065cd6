"""What all pages say."""

import re
from pathlib import Path

from analysis.pages.page import KINDS


def test_pages_define_kinds_of_numbers_as_the_documentation_does():
    text = (Path(__file__).parents[3] / "docs" / "numbers.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", text.split("What is counted")[0], re.MULTILINE)
    table = {kind.replace("*", ""): meaning for kind, meaning in rows if kind != "kind"}
    assert table == KINDS
