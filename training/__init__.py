"""What gradient descent finds: data, models, attacks, and training runs that can be resumed and compared."""

from .attacks import Attack, batch_norm, fgsm, gta, pgd, project
from .augmentation import augment
from .config import TrainingConfig, read_toml
from .constrained_training import ConstrainedTraining, MemorizingModel, a_delta
from .data import TASKS, Dataset, as_float, load_data, read_task
from .distributions import PatchData, SeparableData
from .evaluation import Evaluation, evaluate
from .labels import check_labels
from .lazy_training import (
    TWO_LAYER_ACTIVATIONS,
    LazyRun,
    WideNetwork,
    cap_attack,
    check_sphere,
    compatible,
    deep_network,
    huber,
    project_cap,
    project_weights,
    sphere_data,
    train_lazily,
    two_layer_network,
)
from .loop import train
from .models import MODELS, Normalize, build_model, mlp
from .objectives import LOSSES, classification_loss, divergence, exponential, is_error, margin, mixed
from .patch_training import PatchConfig, PatchRun, patch_network, regime_map, train_patches
from .reading import as_tensor, check_differentiable, copied, differentiating, measuring, placement, read_outputs, unchanged
from .runs import Run
from .separable_training import LinearRun, MaxMargin, MixedLearner, max_margin, memorize, target_learner, train_linear
from .sweep import Trial, sweep, trials
from .worker import Progress

__all__ = [
    "LOSSES",
    "MODELS",
    "TASKS",
    "TWO_LAYER_ACTIVATIONS",
    "Attack",
    "ConstrainedTraining",
    "Dataset",
    "Evaluation",
    "LinearRun",
    "MaxMargin",
    "MixedLearner",
    "LazyRun",
    "MemorizingModel",
    "Normalize",
    "PatchConfig",
    "PatchData",
    "PatchRun",
    "Progress",
    "Run",
    "SeparableData",
    "TrainingConfig",
    "Trial",
    "WideNetwork",
    "a_delta",
    "as_float",
    "as_tensor",
    "augment",
    "batch_norm",
    "build_model",
    "cap_attack",
    "check_differentiable",
    "check_labels",
    "check_sphere",
    "classification_loss",
    "compatible",
    "copied",
    "deep_network",
    "differentiating",
    "divergence",
    "evaluate",
    "exponential",
    "fgsm",
    "gta",
    "huber",
    "is_error",
    "load_data",
    "margin",
    "max_margin",
    "measuring",
    "memorize",
    "mixed",
    "mlp",
    "patch_network",
    "pgd",
    "placement",
    "project",
    "project_cap",
    "project_weights",
    "read_outputs",
    "read_task",
    "read_toml",
    "regime_map",
    "sphere_data",
    "sweep",
    "target_learner",
    "train",
    "train_linear",
    "train_lazily",
    "train_patches",
    "trials",
    "two_layer_network",
    "unchanged",
]
