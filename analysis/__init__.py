"""What learned and constructed networks have in common: errors, agreement, flatness and reports."""

from .agreement import agreement, agreement_table
from .comparison import CompareSettings, Comparison, compare
from .errors import clean_error, robust_error
from .flatness import FlatnessProfile, flatness_profile
from .guarantees import Guarantee, memorization_guarantee
from .inspection import Inspection
from .margins import certified_margins
from .measured import Measured
from .report import write_report

__all__ = [
    "CompareSettings",
    "Comparison",
    "FlatnessProfile",
    "Guarantee",
    "Inspection",
    "Measured",
    "agreement",
    "agreement_table",
    "certified_margins",
    "clean_error",
    "compare",
    "flatness_profile",
    "memorization_guarantee",
    "robust_error",
    "write_report",
]
