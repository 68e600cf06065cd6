"""Which statements of the ledger have theorems in proofs/, and what these leave open."""

from __future__ import annotations

from dataclasses import dataclass

from constructions import Result
from constructions.internal import Said


@dataclass(frozen=True, repr=False)
class Formal(Result):
    """A proof in Coq of a statement, or of a part of it, for all parameters.

    Attributes:
        theorems: (name, file) of each, as ("squaring_error", "proofs/Squaring.v").
        says: what they prove, in words.
        gap: what of the statement they leave open; "" for nothing.
    """

    theorems: tuple[tuple[str, str], ...]
    says: str
    gap: str = ""

    def _says(self) -> tuple[str, dict[str, Said]]:
        return self.text, {}

    @property
    def text(self) -> str:
        """Theorems, what they prove, and what is left, in one line.

        >>> Formal((("f", "proofs/F.v"),), "f is 0", "its size").text
        'proved in Coq: f is 0 (f in proofs/F.v); not: its size'
        """
        return f"proved in Coq: {self.says} ({self.named}){self.left}"

    @property
    def named(self) -> str:
        """The theorems and their files."""
        return ", ".join(f"{name} in {file}" for name, file in self.theorems)

    @property
    def left(self) -> str:
        """What is left open, as the end of a sentence."""
        return f"; not: {self.gap}" if self.gap else ""


def of(file: str, *names: str) -> tuple[tuple[str, str], ...]:
    """The theorems with these names of a file of proofs/."""
    return tuple((name, f"proofs/{file}.v") for name in names)


FORMAL: dict[str, Formal] = {
    "cgrm-lemma-a.3": Formal(
        of("Multiplication", "mul_error", "mul_zero", "eval_multiplication")
        + of("Memorize", "multiplication_depth"),
        "for all m >= 1 and M > 0, a network of depth m + 3 computes a function on [-M,M]^2 that "
        "is within M^2 4^-(m+1) of x y, and 0 where a factor is 0",
        "that values stay in [0,B^2]; the number of parameters",
    ),
    "cgrm-lemma-a.4": Formal(
        of("Distance", "eval_maximum", "eval_linf_distance"),
        "for all centres in R^d, d >= 1, a network computes the l_inf distance to it at all x >= 0",
        "the number of parameters, O(d); x with negative coordinates, which [0,1]^d has not",
    ),
    "cgrm-lemma-a.5": Formal(
        of("Squaring", "squaring_error", "sq_error_attained") + of("Counts", "params_squaring"),
        "for all m >= 1 and x in [0,1], a network with m hidden layers and 7 m - 2 parameters is "
        "at least x^2 and at most 4^-(m+1) above it, which is attained",
        "the choice m = O(log(1 / epsilon)), an inequality between numbers",
    ),
    "cgrm-theorem-3.3": Formal(
        of("Memorize", "memorize_on_ball", "memorize_outside")
        + of("MemorizeMargin", "f_adv_robust"),
        "l_inf, two labels, any f_clean, points and D: with the memorized points' classes more "
        "than outer + delta apart, a network is their label on their balls, f_clean outside of "
        "the shells, and right on all training balls where f_clean is right on those of the others",
        "closeness in the shells, which is false as printed; the number of parameters; l_2; that "
        "our rounded thresholds are such numbers (checked on each network by "
        "certify_memorization)",
    ),
    "cgro-theorem-5.2": Formal(
        of("Memorize", "memorize_on_ball", "memorize_outside")
        + of("MemorizeClasses", "memorizeK_on_ball", "memorizeK_outside")
        + of("MemorizeEuclidean", "memorizeK_l2_on_ball", "memorizeK_l2_outside"),
        "the representation: for any f_clean, N, D and points whose classes are apart, a network "
        "is exactly the label on every training ball, and f_clean outside of the shells (l_inf "
        "lean, two labels and K classes; l_2 gate, K classes)",
        "closeness in the shells, which is false as printed; the number of parameters; errors on "
        "a distribution; that our rounded thresholds are such numbers (checked on each network by "
        "certify_memorization)",
    ),
}
"""By the names of claims; those that restate one share its entry."""
