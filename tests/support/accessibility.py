"""What an accessibility check asks of a page, after WCAG 2.1."""

import html.parser
import itertools
import re


class Page(html.parser.HTMLParser):
    """What an accessibility check looks at."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.problems, self.ids, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        if tag == "img" and not given.get("alt", "").strip():
            self.problems.append("an image without a text")
        if tag == "th" and given.get("scope") not in ("col", "row"):
            self.problems.append("a header without a scope")
        if (
            tag == "div"
            and "scroll" in given.get("class", "")
            and not ("tabindex" in given and given.get("aria-label"))
        ):
            self.problems.append("a region that scrolls and cannot be reached by keys")
        if tag == "table":
            self.open.append({"caption": False})
        if tag == "caption" and self.open:
            self.open[-1]["caption"] = True
        if "src" in given and not given["src"].startswith("data:"):
            self.problems.append("something from elsewhere")

    def handle_endtag(self, tag):
        if tag == "table" and not self.open.pop()["caption"]:
            self.problems.append("a table without a caption")


def luminance(colour):
    parts = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def check_accessible(text):
    """WCAG 2.1: language, title, headings in order, texts of images, captions, scopes, and contrast
    in both themes.
    """
    page = Page(text)
    assert page.problems == []
    names = [tag for tag, _ in page.tags]
    assert ("html", {"lang": "en"}) in page.tags
    assert names.count("h1") == names.count("title") == names.count("main") == 1
    levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    for theme in re.findall(r":root \{[^}]*\}", text):
        colour = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        for ink in ("ink", "soft"):
            for paper in ("page", "tint"):
                low, high = sorted(luminance(colour[name]) for name in (ink, paper))
                assert (high + 0.05) / (low + 0.05) >= 4.5
