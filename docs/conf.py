"""What Sphinx reads to make the site: `make docs`."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))  # before an installed copy

import pages

project = "cgro"
author = "The cgro developers"
project_copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery/*", "**sg_execution_times.rst"]  # pages of the gallery are in auto/
highlight_language = "text"
suppress_warnings = ["sphinx_gallery.space_in_filename"]  # the folder's path may have one

smartquotes_action = "qe"  # dashes stay: "--radius" is an option

html_theme = "furo"
html_title = "cgro"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_type_aliases = pages.api.shape_names()
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_custom_sections = [("Cost", "returns_style"), ("Source", "returns_style")]
viewcode_line_numbers = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto/gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "show_signature": False,
    "download_all_examples": False,
    "reference_url": dict.fromkeys(pages.api.PACKAGES),
    "doc_module": pages.api.PACKAGES,
}


def setup(app: Any) -> None:
    """Generated pages are written before any is read; links to files of the code become links of
    the site.
    """
    pages.write()
    app.connect("source-read", pages.as_on_site)
    app.connect("autodoc-process-docstring", pages.api.as_plain_text, priority=100)
