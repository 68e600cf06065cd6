"""Names of attacks, read without PyTorch."""

from __future__ import annotations

import re

FORMS = "clean, fgsm, pgdK (K steps), pgdKxR (R restarts) or autoattack"


def read_attack(text: str) -> tuple[str, int, int]:
    """Kind, steps and restarts of an attack's name. Raises ValueError that lists the forms."""
    fixed = {"clean": ("clean", 0, 1), "fgsm": ("fgsm", 1, 1), "autoattack": ("autoattack", 100, 4)}
    if text in fixed:
        return fixed[text]
    match = re.fullmatch(r"pgd([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", text, re.ASCII)
    if match is None:
        raise ValueError(f"attack must be {FORMS}, got {text!r}")
    return "pgd", int(match[1]), int(match[2] or 1)
