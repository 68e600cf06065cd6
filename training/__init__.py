"""What gradient descent finds: data, models, attacks, and training runs that can be resumed and compared."""

from .attacks import Attack, batch_norm, fgsm, gta, pgd, project
from .augmentation import augment
from .config import TrainingConfig, read_toml
from .constrained_training import ConstrainedTraining, MemorizingModel, a_delta
from .data import TASKS, Dataset, as_float, load_data, read_task
from .distributions import PatchData
from .evaluation import Evaluation, evaluate
from .loop import train
from .models import MODELS, Normalize, build_model, mlp
from .objectives import LOSSES, check_labels, classification_loss, divergence, exponential, is_error, margin, mixed
from .patch_training import PatchConfig, PatchRun, patch_network, regime_map, train_patches
from .runs import Run
from .sweep import Trial, sweep, trials
from .worker import Progress

__all__ = [
    "LOSSES",
    "MODELS",
    "TASKS",
    "Attack",
    "ConstrainedTraining",
    "Dataset",
    "Evaluation",
    "MemorizingModel",
    "Normalize",
    "PatchConfig",
    "PatchData",
    "PatchRun",
    "Progress",
    "Run",
    "TrainingConfig",
    "Trial",
    "a_delta",
    "as_float",
    "augment",
    "batch_norm",
    "build_model",
    "check_labels",
    "classification_loss",
    "divergence",
    "evaluate",
    "exponential",
    "fgsm",
    "gta",
    "is_error",
    "load_data",
    "margin",
    "mixed",
    "mlp",
    "patch_network",
    "pgd",
    "project",
    "read_task",
    "read_toml",
    "regime_map",
    "sweep",
    "train",
    "train_patches",
    "trials",
]
