"""What learned and constructed networks have in common: errors, agreement, flatness and reports."""

from .agreement import (
    agreement,
    agreement_by_group,
    agreement_table,
    class_groups,
    normalized_margins,
    outer_radius,
    quantile_groups,
)
from .boundary import Interval, margin
from .boundary_distances import BoundaryDistances, boundary_distances, small_margin
from .comparison import CompareSettings, Comparison, compare
from .constrained_errors import errors_by_margin, proved_balls
from .decision import Certification, certificate_of, certify, certify_box
from .errors import clean_error, robust_error
from .exact_flatness import change_bound, exact_flatness
from .feature_learning import Inequality, Phases, attacked_errors, lemmas, phases
from .flatness import FlatnessProfile, flatness_profile
from .inspection import Inspection
from .margins import certified_margins
from .measured import Measured
from .memorization_proof import MemorizationProof, certify_memorization, save_points
from .memorization_share import MemorizationShare, memorization_part, memorization_share, radial_profile
from .report import write_report
from .study import Study, StudySettings
from .study_measure import study
from .study_report import write_study
from .sup_error import SupError, distance_error, sup_error

__all__ = [
    "BoundaryDistances",
    "Certification",
    "CompareSettings",
    "Comparison",
    "FlatnessProfile",
    "Inequality",
    "Inspection",
    "Interval",
    "Measured",
    "MemorizationProof",
    "MemorizationShare",
    "Phases",
    "Study",
    "StudySettings",
    "SupError",
    "agreement",
    "agreement_by_group",
    "agreement_table",
    "attacked_errors",
    "boundary_distances",
    "certificate_of",
    "certified_margins",
    "certify",
    "certify_box",
    "certify_memorization",
    "change_bound",
    "class_groups",
    "clean_error",
    "compare",
    "distance_error",
    "errors_by_margin",
    "exact_flatness",
    "flatness_profile",
    "lemmas",
    "margin",
    "memorization_part",
    "memorization_share",
    "normalized_margins",
    "outer_radius",
    "phases",
    "quantile_groups",
    "proved_balls",
    "radial_profile",
    "robust_error",
    "save_points",
    "small_margin",
    "study",
    "sup_error",
    "write_report",
    "write_study",
]
