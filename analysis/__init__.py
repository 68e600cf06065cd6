"""What learned and constructed networks have in common: errors, agreement, flatness and reports."""

from .agreement import agreement, agreement_table
from .boundary import Interval, margin
from .comparison import CompareSettings, Comparison, compare
from .decision import Certification, certificate_of, certify, certify_box
from .errors import clean_error, robust_error
from .exact_flatness import change_bound, exact_flatness
from .flatness import FlatnessProfile, flatness_profile
from .inspection import Inspection
from .margins import certified_margins
from .measured import Measured
from .memorization_proof import MemorizationProof, certify_memorization, save_points
from .report import write_report
from .sup_error import SupError, distance_error, sup_error

__all__ = [
    "Certification",
    "CompareSettings",
    "Comparison",
    "FlatnessProfile",
    "Inspection",
    "Interval",
    "Measured",
    "MemorizationProof",
    "SupError",
    "agreement",
    "agreement_table",
    "certificate_of",
    "certified_margins",
    "certify",
    "certify_box",
    "certify_memorization",
    "change_bound",
    "clean_error",
    "compare",
    "distance_error",
    "exact_flatness",
    "flatness_profile",
    "margin",
    "robust_error",
    "save_points",
    "sup_error",
    "write_report",
]
