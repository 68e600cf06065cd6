"""The public names of `training`, and where each is from; loaded when it is used."""

from .attacks.gta import gta
from .attacks.intervals import worst_outputs
from .attacks.named import Attack
from .attacks.objectives import (
    LOSSES,
    classification_loss,
    divergence,
    exponential,
    is_error,
    mixed,
    output_margin,
)
from .attacks.pgd import fgsm, pgd
from .attacks.projection import project
from .datasets.augmentation import augment
from .datasets.dataset import Dataset, load_data
from .datasets.distributions import PatchData, SeparableData
from .datasets.tasks import TASKS, read_task
from .theory.constrained import ConstrainedTraining, MemorizingModel, a_delta
from .theory.lazy import (
    TWO_LAYER_ACTIVATIONS,
    LazyRun,
    WideNetwork,
    cap_attack,
    compatible,
    deep_network,
    huber,
    project_cap,
    project_weights,
    sphere_data,
    train_lazily,
    two_layer_network,
)
from .theory.patches import (
    PatchConfig,
    PatchErrors,
    PatchRun,
    patch_network,
    regime_map,
    train_patches,
)
from .theory.separable import (
    LinearRun,
    MaxMargin,
    MixedLearner,
    max_margin,
    memorize,
    target_learner,
    train_linear,
)
from .trainer.config import TrainingConfig, read_toml
from .trainer.evaluation import Evaluation, evaluate
from .trainer.loop import train
from .trainer.models import MODELS, Normalize, build_model, mlp
from .trainer.run import Run
from .trainer.sweep import Trial, sweep, trials
from .trainer.worker import TrainingProgress

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
    "PatchErrors",
    "PatchRun",
    "Run",
    "SeparableData",
    "TrainingConfig",
    "TrainingProgress",
    "Trial",
    "WideNetwork",
    "a_delta",
    "augment",
    "build_model",
    "cap_attack",
    "classification_loss",
    "compatible",
    "deep_network",
    "divergence",
    "evaluate",
    "exponential",
    "fgsm",
    "gta",
    "huber",
    "is_error",
    "load_data",
    "output_margin",
    "max_margin",
    "memorize",
    "mixed",
    "mlp",
    "patch_network",
    "pgd",
    "project",
    "project_cap",
    "project_weights",
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
    "worst_outputs",
]
