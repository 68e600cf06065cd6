"""What gradient descent finds: data, models, attacks and the training loop."""

from .attacks import pgd, project
from .data import TASKS, Dataset, load_data
from .loop import History, TrainingSettings, train
from .models import mlp
from .objectives import check_labels, classification_loss, is_error, margin

__all__ = [
    "TASKS",
    "Dataset",
    "History",
    "TrainingSettings",
    "check_labels",
    "classification_loss",
    "is_error",
    "load_data",
    "margin",
    "mlp",
    "pgd",
    "project",
    "train",
]
