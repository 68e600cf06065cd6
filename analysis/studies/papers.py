"""The names of the figures, and what the papers say of theirs."""

PAPERS = {
    "learning-curves": (
        "The papers (CGRO, Figure 1, after Rice et al. 2020) show CIFAR-10: robust test error "
        "stops falling and rises again while robust training error and clean test error go on "
        "falling."
    ),
    "capacity": (
        "The papers (CGRO, third version, Figure 2 a and b; caption alone) show the effect of "
        "network capacity on the performance, on MNIST and CIFAR-10."
    ),
    "feature-learning": (
        "The papers (CGRO, third version, Figure 2 c; caption alone) show the feature learning "
        "process of the two-layer convolutional network on structured data."
    ),
    "robust-memorization": (
        "The papers (CGRM, Figure 1; CGRO, Figure 2 a to d) find the loss flat within the training "
        "radius and very sharp outside."
    ),
    "learning-process": (
        "The papers (CGRM, Figure 2; CGRO, Figure 2 e to h) find that the curve around training "
        "points falls within the training radius over the epochs; around test points it does so on "
        "MNIST and rises on CIFAR-10."
    ),
    "flatness": (
        "The papers (CGRM and CGRO, Figure 3 left) find that global flatness, the mean around test "
        "points, grows much faster than local flatness, around training points, on CIFAR-10."
    ),
    "gap": (
        "The papers (CGRM and CGRO, Figure 3 right) find the robust generalization gap to grow "
        "with global flatness, on CIFAR-10."
    ),
}
"""What the papers say of the figures that these follow."""

MEASURED_IN_TRAINING = {"learning-curves", "capacity"}
"""Figures of what the runs measured themselves."""

FIGURES = (*PAPERS, "islands", "margins", "radial", "lower-bound")
"""All names of figures: those of the papers, components and holes of class regions, histograms of
distances to the boundary, margins along rays, sizes over D.
"""
