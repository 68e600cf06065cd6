"""The site, in the folder CGRO_SITE, where `make docs` built it, or built from a fresh copy: no
warning, no broken link, nothing from outside. Examples of the gallery are not run here: `make docs`
does that.
"""

import html.parser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages.copied import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDED = ("sphinx", "sphinx_gallery", "myst_parser", "furo")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)} (pip install 'cgro[docs]')"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site's folder; warnings are errors, as they are to `make docs`."""
    if made := os.environ.get("CGRO_SITE"):
        return Path(made)
    folder = tmp_path_factory.mktemp("site")
    copy, out = folder / "a copy", folder / "site"
    for name in ("constructions", "training", "analysis", "docs", "benchmarks", "proofs"):
        ignored = shutil.ignore_patterns("__pycache__", "auto", "*.vo*", "*.glob")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "cgro.py"):
        shutil.copy(ROOT / name, copy / name)
    options = ["-W", "--keep-going", "-q", "-D", "plot_gallery=0", "-d", str(folder / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(copy / "docs"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=copy, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.strip() == ""
    return out


class Links(html.parser.HTMLParser):
    """Where a page leads, what it loads, and what may be led to."""

    def __init__(self, text):
        super().__init__()
        self.led, self.loaded, self.names = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.led.append(given["href"])
        if given.get("src"):
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") not in (
            "index",
            "search",
            "next",
            "prev",
            "canonical",
        ):
            self.loaded.append(given["href"])


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_outside(site):
    pages = {path.resolve(): Links(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 60
    broken, outside, followed = [], [], 0
    for path, page in pages.items():
        for link in page.led + page.loaded:
            if re.match(r"\w+:", link):
                outside += (
                    [(path.name, link)] if link in page.loaded and link[:5] != "data:" else []
                )
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / unquote(file.split("?")[0])).resolve() if file else path
            known = pages[target].names if target in pages else None
            followed += 1
            if not target.exists() or (anchor and known and unquote(anchor) not in known):
                broken.append((path.relative_to(site.resolve()).as_posix(), link))
    assert broken == []
    assert outside == []
    assert followed > 1000


@pytest.mark.parametrize(
    "name", ["index", "start", "search", "auto/gallery/index", "auto/api/constructions/classifiers"]
)
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_pages_in_a_browser_have_no_error_and_ask_nobody(site, tmp_path, name):
    page = site / f"{name}.html"
    probe = (
        "<script>window.addEventListener('error',e=>document.title+=' ERROR '+e.message);"
        "addEventListener('load',()=>{document.body.dataset.outside=performance.getEntriesByType("
        "'resource').filter(r=>!/^(file|data):/.test(r.name)).map(r=>r.name).join()||'nothing'})"
        "</script>"
    )
    probed = page.with_name(f"probed-{page.name}")
    probed.write_text(page.read_text().replace("<head>", "<head>" + probe))
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--enable-logging=stderr --v=0 --virtual-time-budget=5000 --dump-dom"
    )
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [CHROMIUM, *flags.split(), profile, Path(probed).as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    probed.unlink()
    assert 'data-outside="nothing"' in result.stdout
    assert "ERROR" not in re.search("<title>(.*?)</title>", result.stdout).group(1)
    assert "CONSOLE" not in result.stderr
