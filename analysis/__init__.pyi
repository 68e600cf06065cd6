"""The public names of `analysis`, and where each is from; loaded when it is used."""

from .behaviour.agreement import (
    agreement,
    agreement_by_group,
    class_groups,
    normalized_margins,
    quantile_groups,
)
from .behaviour.boundary_distances import BoundaryDistances, boundary_distances, small_margin
from .behaviour.class_regions import class_topology
from .behaviour.errors import clean_error, robust_error
from .behaviour.exact_flatness import FlatnessBounds, change_bound, exact_flatness
from .behaviour.flatness import FlatnessProfile, flatness_profile
from .behaviour.memorization_share import (
    MemorizationShare,
    memorization_part,
    memorization_share,
)
from .behaviour.rays import radial_profile
from .behaviour.zones import agreement_table, outer_radius
from .certification.boundary import BoundaryDistance, boundary_distance
from .certification.checking import Checked, check_certificate
from .certification.deciding import Decision, decide
from .certification.decision import Certification, certificate_of, certify, certify_box
from .certification.margins import certified_margins
from .comparison.comparison import Comparison, compare
from .comparison.report import write_report
from .comparison.settings import CompareSettings
from .memorizers.costs import MemorizationCost, memorization_costs
from .memorizers.proof import MemorizerProof, certify_memorizer
from .pages.inspection import Inspection
from .pages.planes import plot_plane
from .pages.region_figures import plot_regions
from .proofs.certificates import save_points
from .proofs.memorization import MemorizationProof, certify_memorization
from .proofs.range import SupError
from .proofs.sup_error import distance_error, sup_error
from .quantities.measured import Measured, ShareBounds, Shares
from .statements.claims import Check, Claim, Outcome, OutcomeProgress, ledger, verify
from .statements.report import write_ledger
from .studies.measure import study
from .studies.report import write_study
from .studies.settings import StudySettings
from .studies.study import Study
from .theory.constrained import ErrorsByMargin, errors_by_margin, proved_balls
from .theory.feature_learning import Inequality, Phases, attacked_errors, lemmas, phases
from .theory.generalization import (
    GeneralizationBound,
    clean_bound,
    first_order_ratios,
    printed_robust_bound,
    robust_bound,
    vc_gap,
)
from .theory.linearization import (
    Regret,
    cap_error,
    gradient_change,
    regret,
    robust_loss,
    taylor_error,
)
from .theory.neural_tangent_kernel import (
    KernelInterpolant,
    SampledKernel,
    finite_kernel,
    neural_tangent_kernel,
    robust_interpolant,
    sampled_kernel,
)
from .theory.separable import (
    DirectionRate,
    certified_ball_margins,
    direction_error,
    direction_rate,
    linear_error,
    max_margin_error,
    max_margin_error_bound,
    predicted_max_margin_error,
    recovery_probability,
    robust_error_bounds,
)

__all__ = [
    "Check",
    "Claim",
    "Outcome",
    "OutcomeProgress",
    "ledger",
    "verify",
    "BoundaryDistance",
    "BoundaryDistances",
    "Certification",
    "Checked",
    "CompareSettings",
    "Comparison",
    "Decision",
    "DirectionRate",
    "FlatnessProfile",
    "GeneralizationBound",
    "Inequality",
    "Inspection",
    "KernelInterpolant",
    "Measured",
    "MemorizationCost",
    "MemorizationProof",
    "MemorizationShare",
    "MemorizerProof",
    "Phases",
    "Regret",
    "Study",
    "StudySettings",
    "SupError",
    "agreement",
    "agreement_by_group",
    "agreement_table",
    "attacked_errors",
    "boundary_distances",
    "cap_error",
    "certificate_of",
    "certified_ball_margins",
    "certified_margins",
    "FlatnessBounds",
    "ErrorsByMargin",
    "SampledKernel",
    "ShareBounds",
    "Shares",
    "certify",
    "check_certificate",
    "certify_box",
    "certify_memorization",
    "certify_memorizer",
    "change_bound",
    "class_groups",
    "class_topology",
    "clean_bound",
    "clean_error",
    "compare",
    "decide",
    "direction_error",
    "direction_rate",
    "distance_error",
    "errors_by_margin",
    "exact_flatness",
    "finite_kernel",
    "first_order_ratios",
    "flatness_profile",
    "gradient_change",
    "lemmas",
    "linear_error",
    "boundary_distance",
    "max_margin_error",
    "max_margin_error_bound",
    "memorization_costs",
    "memorization_part",
    "memorization_share",
    "neural_tangent_kernel",
    "normalized_margins",
    "outer_radius",
    "phases",
    "plot_plane",
    "plot_regions",
    "predicted_max_margin_error",
    "printed_robust_bound",
    "quantile_groups",
    "proved_balls",
    "radial_profile",
    "recovery_probability",
    "regret",
    "robust_bound",
    "robust_error",
    "robust_error_bounds",
    "robust_interpolant",
    "robust_loss",
    "sampled_kernel",
    "save_points",
    "small_margin",
    "study",
    "sup_error",
    "taylor_error",
    "vc_gap",
    "write_ledger",
    "write_report",
    "write_study",
]
