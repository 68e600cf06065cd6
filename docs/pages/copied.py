"""Pages for files that stand beside the code, and links that work there and on the site."""

import os
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent
COPIED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files outside of docs/ that are pages of the site, and their names in docs/auto."""
ELSEWHERE = {
    **{file: f"auto/{page}" for file, page in COPIED.items()},
    "README.md": "index.md",
    "docs/gallery": "auto/gallery/index.rst",
    "constructions/__init__.pyi": "auto/api.rst",
    "analysis/commands/cli.py": "auto/commands.md",
}
"""Where links of the code lead on the site: from what is there to the page that is made of it."""
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
"""A relative link or picture of Markdown: its target, its anchor."""


def made() -> dict[str, str]:
    """These pages, with links as they must be on the site."""
    return {
        page: relinked((ROOT / file).read_text(encoding="utf-8"), ROOT / file, DOCS / "auto" / page)
        for file, page in COPIED.items()
    }


def relinked(text: str, file: Path, page: Path) -> str:
    """A file's text as the site's page: relative links lead where the site has their targets.

    >>> relinked("[how](docs/start.md#a)", ROOT / "CHANGELOG.md", DOCS / "auto" / "changelog.md")
    '[how](../start.md#a)'
    >>> relinked("[why](../CHANGELOG.md)", DOCS / "start.md", DOCS / "start.md")
    '[why](auto/changelog.md)'
    """

    def link(found: re.Match[str]) -> str:
        target = (file.parent / found[1]).resolve()
        name = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
        target = DOCS / ELSEWHERE[name] if name in ELSEWHERE else target
        return f"]({Path(os.path.relpath(target, page.parent)).as_posix()}{found[2] or ''})"

    return LINK.sub(link, text)
