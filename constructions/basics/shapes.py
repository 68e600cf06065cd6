"""Shapes of arrays by name, for annotations: `Points` says more than `torch.Tensor`, and is one.

A name of a dimension (n, d, ...) has one size within a call; `*shape` stands for any number of
dimensions. The test run checks what is annotated with these names at every call of it
(`tests/support/shape_checks.py`); outside of it they cost nothing.
"""

from jaxtyping import Bool, Float, Integer, Real, Shaped
from numpy import ndarray
from torch import Tensor

# tensors, a point a row
Points = Real[Tensor, "n *shape"]
"""Points as rows, images or patches: floating-point, or uint8 (k means k/255)."""
Given = Real[Tensor | ndarray, "n *shape"]
"""Points as readers take them."""
Floats = Float[Tensor, "n *shape"]
"""Floating-point points, or gradients at them."""
Rows = Float[Tensor, "n d"]
Labels = Real[Tensor, "n"]
"""-1 and +1, or 0..K-1."""
TestPoints = Real[Tensor, "tests *shape"]
TestLabels = Real[Tensor, "tests"]
Integers = Integer[Tensor, "n"]
Outputs = Float[Tensor, "n outputs"]
PerPoint = Float[Tensor, "n"]
Flags = Bool[Tensor, "n"]
Curves = Float[Tensor, "n radii"]
CurveFlags = Bool[Tensor, "n radii"]
Some = Float[Tensor, "_"]
"""Numbers of some of the points."""
Kernel = Float[Tensor, "n k"]

# other tensors
Vector = Float[Tensor, "d"]
Neurons = Float[Tensor, "m d"]
PerNeuron = Float[Tensor, "m"]
Batched = Float[Tensor, "*batch d"]
BatchedOutputs = Float[Tensor, "*batch outputs"]
Alike = Float[Tensor, "*shape"]
"""Of any shape, but of one for all that bear this name."""

# arrays, a point a row; of Fractions (dtype object) where they are exact
PointArray = Shaped[ndarray, "n d"]
LabelArray = Real[ndarray, "n"]
Corner = Float[ndarray, "d"]
Ends = Float[ndarray, "*shape"]
"""Lower or upper ends of a box: numbers, or one for each coordinate."""
Values = Shaped[ndarray, "*batch outputs"]
Signs = Integer[ndarray, "*batch outputs"]
PairArray = Integer[ndarray, "pairs 2"]
PerPair = Float[ndarray, "pairs"]

# cells of a network
Pattern = Bool[ndarray, "units"]
Patterns = Bool[ndarray, "cells units"]
Vertices = Shaped[ndarray, "vertices d"]
CellPoints = Shaped[ndarray, "cells d"]
PerCell = Shaped[ndarray, "cells"]
AffineMaps = Shaped[ndarray, "cells outputs columns"]
Edges = Integer[ndarray, "2 edges"]
Incidences = Integer[ndarray, "pairs"]
Numbers = Integer[ndarray, "_"]

# affine maps
Weight = Shaped[ndarray, "outputs d"]
Offset = Shaped[ndarray, "outputs"]
Point = Shaped[ndarray, "d"]

# what is recorded while training
Steps = Integer[ndarray, "records"]
Curve = Float[ndarray, "records"]
