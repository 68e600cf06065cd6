"""The pages of the site that are made from the code, written to docs/auto before Sphinx reads."""

from pathlib import Path
from typing import Any

from . import api, commands, copied, ledger

AUTO = copied.DOCS / "auto"


def made() -> dict[str, str]:
    """The text of every generated page, by its name in docs/auto."""
    return {**api.made(), **commands.made(), **ledger.made(), **copied.made()}


def write() -> None:
    """Write what is new, remove what is no more: Sphinx reads again only what has changed."""
    texts = made()
    for path in (*AUTO.rglob("*.md"), *AUTO.rglob("*.rst")):
        name = path.relative_to(AUTO).as_posix()
        if name not in texts and not name.startswith("gallery/"):
            path.unlink()
    for name, text in texts.items():
        path = AUTO / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def as_on_site(app: Any, name: str, content: list[str]) -> None:
    """Sphinx's event: a page as read, before it is parsed."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md":
        content[0] = copied.relinked(ledger.shortened(content[0]), path, path)
