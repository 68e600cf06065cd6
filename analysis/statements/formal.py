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
        of("MemorizeMargin", "f_adv_robust")
        + of("MarginClasses", "adv_lean_K", "adv_gate_K", "adv_euclidean_K", "adv_shared_K")
        + of("Memorize", "memorize_outside")
        + of("MemorizeGate", "gate_outside", "gateK_outside")
        + of("MemorizeShared", "shared_outside", "sharedK_outside")
        + of("CountsIndicators", "params_lean"),
        "for any f_clean, points and D, l_inf and l_2, two labels and K classes, variants lean "
        "and gate: with each memorized point at least outer + delta from all training points of "
        "other labels, a network decides for the right label on all training balls where f_clean "
        "does so on those that are not memorized, and is f_clean outside of the shells; its "
        "parameters for generic points (l_inf, lean, two labels; the others: Theorem 5.2 of CGRO)",
        "closeness in the shells, which is false as printed; the size of f_clean; l_2, and l_inf "
        "gate: points of balls outside of [0,1]^d (l_inf: with a coordinate below 0); that there "
        "are thresholds (checked on each network by certify_memorization)",
    ),
    "cgro-theorem-5.2": Formal(
        of("Memorize", "memorize_on_ball", "memorize_outside")
        + of("MemorizeClasses", "memorizeK_on_ball", "memorizeK_outside")
        + of("MemorizeGate", "gate_on_ball", "gate_outside", "gateK_on_ball", "gateK_outside")
        + of("MemorizeEuclidean", "memorizeK_l2_on_ball", "memorizeK_l2_outside")
        + of("MemorizeShared", "shared_on_ball", "shared_outside", "sharedK_on_ball")
        + of("MemorizeLiteral", "literal_linf_margin", "literal_l2_margin")
        + of("MemorizeLiteral", "literal_linf_outside", "literal_l2_outside")
        + of("Thresholds", "memorize_thresholds", "gate_thresholds", "shared_thresholds")
        + of("CountsIndicators", "params_lean", "params_euclidean", "params_shared")
        + of("CountsTree", "params_gate", "params_gate_K")
        + of("CountsLiteral", "params_literal_linf", "params_literal_l2")
        + of("MemorizingNetworks", "network_S_errors"),
        "the representation: for any f_clean, N, D and points whose classes are apart, a network "
        "is exactly the label on every training ball (variants lean and gate; the printed form, "
        "two labels, where all balls are apart, those of one class, too, and M^2 4^-m <= 1/4: "
        "margin 3/4), and f_clean outside of the shells, l_inf and l_2, two labels and K classes; "
        "dyadic thresholds, where they are found, are such numbers, in exact arithmetic; its "
        "parameters for generic points (l_inf gate and printed form: D >= 3; printed form: "
        "f_clean shallower than the indicators); its errors on a finite population (l_inf, lean, "
        "two labels), robust test error as in Proposition 3.2 of CGRM",
        "closeness in the shells, which is false as printed; the size of f_clean; l_2, and l_inf "
        "gate and printed form: points of balls outside of [0,1]^D (l_inf: with a coordinate "
        "below 0); that thresholds exist; Omega(1) without a condition, which is false; samples "
        "drawn at random",
    ),
    "cgrm-proposition-3.1": Formal(
        of("MarginAndBoundary", "margin_is_distance", "margin_is_distance_network")
        + of("MarginAndBoundary", "near_is_negative", "far_is_robust", "touching_is_tie")
        + of("MarginAndBoundary", "misclassified_is_negative", "plateau_is_negative")
        + of("MarginAndBoundary", "outside_is_negative"),
        "for continuous f, and for ReLU networks, where y f(x) > 0, the ball is in the domain and "
        "zeros have no width; for each of the three a counterexample without it; l_p for all p",
        "that the least value on the ball and the distance exist, which is assumed",
    ),
    "cgrm-proposition-3.2": Formal(
        of("MemorizingClassifiers", "f_adv_errors", "f_adv_far", "f_adv_numbers")
        + of("MemorizingClassifiers", "f_adv_at_most", "f_adv_covered", "omega_mu_fails"),
        "on every finite population and for every sample: robust training and clean test error "
        "are 0 (memorized: margin <= delta, ties included), robust test error is at least kappa "
        "mu where at most a share 1 - kappa of mu is hidden: points on whose ball all errors of "
        "f_clean lie within memorized balls; as printed, Omega(mu) is false",
        "samples drawn at random, populations that are not finite, K classes",
    ),
    "cgrm-corollary-3.4": Formal(
        of("MemorizingNetworks", "indicators_errors", "network_errors", "indicators_far")
        + of("MemorizingNetworksEuclidean", "euclidean_errors")
        + of("MemorizingNetworksEuclidean", "euclidean_gate_errors", "euclidean_lean_errors"),
        "the same for functions with soft indicators in any l_p, for the l_inf lean network, and "
        "for networks of squared l_2 distances; both errors are 0; hidden are errors nearer than "
        "the outer threshold",
        "the number of parameters (see Theorem 3.3) and the size of f_clean; samples drawn at "
        "random, populations that are not finite, K classes",
    ),
    "cgrm-theorem-3.5": Formal(
        of("CountingBound", "covering", "nearly_shattered", "vc_fraction", "one_percent")
        + of("CountingBound", "covering_from_1")
        + of("RobustLowerBound", "grid_packed", "lower_bound_grid", "exponential_size"),
        "the counting step 2^n <= sum C(n, i) sum C(n, j) (sums from 0: from 1, as printed, it is "
        "false), the packing of the cube, and that classes whose VC dimension is at most a size^q "
        "need exp(Omega(D)) parameters; D >= 2, delta < 1/2, all p",
        "that networks of that size have such a VC dimension (Lemma A.7, cited, and a network that "
        "holds all of that size); mu_0-balanced "
        "distributions: it is uniform on the data set",
    ),
    "cgro-theorem-5.3": Formal(
        of("RobustLowerBound", "data_set_assumptions", "lower_bound_packing", "lower_bound_grid")
        + of("RobustLowerBound", "exponential_size"),
        "one data set as Assumption 5.1 wants it, on which all functions of a class of VC "
        "dimension at most c n are wrong on their share of balls; size exp(Omega(D)), D >= 2, "
        "delta < 1/2",
        "that networks of that size have such a VC dimension (Lemma A.7, cited, and a network that "
        "holds all of that size)",
    ),
    "cgro-lemma-a.1": Formal(
        of("QuadraticRecursions", "lemma_A_1", "growth"),
        "as printed, the bracket read as plain, floor and ceiling; and a bound without M",
    ),
    "cgro-lemma-a.2": Formal(
        of("QuadraticRecursions", "lemma_A_2"), "as printed, for all t from t_0 to the horizon"
    ),
    "cgro-lemma-a.3": Formal(of("QuadraticRecursions", "lemma_A_3"), "as printed, for real T >= 0"),
    "cgrm-lemma-a.8": Formal(
        of("SauerLemma", "sauer_lemma", "sauer_labellings", "sauer_exponential"),
        "both bounds, for every class and domain; the second for all k <= m",
    ),
    "cgrm-proposition-a.9": Formal(
        of("Cells", "cells_bound", "cell_affine", "cell_convex", "pieces_bound"),
        "at most 2^n activation patterns occur, each on a convex set on which the network is "
        "affine; among more than 2^n points two lie in one convex set on which it is affine",
    ),
    "gao-theorem-6.1": Formal(
        of("RobustInterpolation", "robust_interpolation_vc", "robust_interpolation_even")
        + of("RobustInterpolation", "robust_interpolation_omega", "one_point"),
        "the lower bound: VC dimension at least floor(n/2) d + (n mod 2), all n, d and delta > 0, "
        "l_2 on R^d; false for n = 1, where it is 1",
        "the number of weights that follows from it (Bartlett et al., cited)",
    ),
}
"""By the names of claims; those that restate one share its entry."""
