"""The papers whose statements are in the ledger."""

PAPERS = {
    "cgrm": (
        "Why Clean Generalization and Robust Memorization Both Happen in Adversarial Training "
        "(anonymous 2023)"
    ),
    "cgro": (
        "Why Clean Generalization and Robust Overfitting Both Happen in Adversarial Training "
        "(anonymous 2023)"
    ),
    "gao": (
        "Gao et al. 2019, Convergence of Adversarial Training in Overparametrized Neural Networks"
    ),
    "li": (
        "Li and Li, On the Clean Generalization and Robust Overfitting in Adversarial Training "
        "from Two Theoretical Views"
    ),
    "kim": (
        "Kim, Moon and Yun 2025, The Cost of Robustness: Tighter Bounds on Parameter Complexity "
        "for Robust Memorization in ReLU Nets"
    ),
    "own": "This library: what goes beyond these papers, proved here",
}
"""The papers whose statements are in the ledger, by the first part of their statements' names."""

SECOND_HAND = tuple(
    f"li-{kind}" for kind in ("assumption", "definition", "lemma", "remark", "table", "theorem")
)
"""Beginnings of the names of statements that are known from notes and reviews alone, not from the
paper's text. (Of this paper the abstract and the figures' captions are at hand.)
"""
