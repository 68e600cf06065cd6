"""Shapes of arrays by name, for annotations: `Points` says more than `torch.Tensor`, and is one.

A name of a dimension (n, d, ...) has one size within a call; `*shape` and `*batch` stand for any
number of dimensions, `_` for any size. The test run checks what is annotated with these names at
every call of it (`tests/support/shape_checks.py`); outside of it they cost nothing.
"""

from jaxtyping import Bool, Float, Integer, Real, Shaped
from numpy import ndarray
from torch import Tensor

# points and what belongs to them: tensors, a point a row
Points = Real[Tensor, "n *shape"]
"""Rows, images or patches: floating-point, or uint8 (k means k/255)."""
Given = Real[Tensor | ndarray, "n *shape"]
"""Points as readers take them."""
Floats = Float[Tensor, "n *shape"]
"""Floating-point points, or gradients at them."""
Rows = Float[Tensor, "n d"]
Labels = Real[Tensor, "n"]
"""-1 and +1, or 0..K-1."""
Outputs = Float[Tensor, "n outputs"]
PerPoint = Float[Tensor, "n"]
Flags = Bool[Tensor, "n"]
RowNumbers = Integer[Tensor, "n"]
Some = Float[Tensor, "_"]
"""Numbers of some of the points."""
Kernel = Float[Tensor, "n k"]
Curves = Float[Tensor, "n radii"]
CurveFlags = Bool[Tensor, "n radii"]
TestPoints = Real[Tensor, "tests *shape"]
TestLabels = Real[Tensor, "tests"]

# points of any number of axes
Alike = Float[Tensor, "*shape"]
"""All that bear this name have one shape."""
Batch = Float[Tensor, "*batch"]
BatchPoints = Real[Tensor, "*batch d"]
BatchOutputs = Float[Tensor, "*batch outputs"]

# pairs of points
PairRows = Integer[Tensor, "pairs"]
PairDistances = Float[Tensor, "pairs"]

# weights
Vector = Float[Tensor, "d"]
Neurons = Float[Tensor, "m d"]
PerNeuron = Float[Tensor, "m"]

# matrices
Entries = Float[Tensor, "rows columns"]
EntryRows = Integer[Tensor, "entries"]
EntryValues = Float[Tensor, "entries"]

# what is recorded during training
Steps = Integer[ndarray, "records"]
Curve = Float[ndarray, "records"]
LayerCurves = Float[ndarray, "records layers"]
VectorCurve = Float[Tensor, "records d"]
PointCurves = Float[Tensor, "records n d"]
SeedErrors = Float[ndarray, "seeds sizes"]

# points and values as arrays; of Fractions (dtype object) where they are exact
PointArray = Shaped[ndarray, "n d"]
LabelArray = Real[ndarray, "n"]
Values = Shaped[ndarray, "*batch outputs"]
Signs = Integer[ndarray, "*batch outputs"]
PairArray = Integer[ndarray, "pairs 2"]
PairLengths = Float[ndarray, "pairs"]
Corner = Float[ndarray, "d"]
Ends = Float[ndarray, "*shape"]
"""Lower or upper ends of a box: numbers, or one for each coordinate."""

# cells of a network, as arrays
Pattern = Bool[ndarray, "units"]
Patterns = Bool[ndarray, "cells units"]
Vertices = Shaped[ndarray, "vertices d"]
LevelSegments = Shaped[ndarray, "segments 2 2"]
CellPoints = Shaped[ndarray, "cells d"]
PerCell = Shaped[ndarray, "cells"]
Edges = Integer[ndarray, "2 edges"]
Incidences = Integer[ndarray, "pairs"]
Numbers = Integer[ndarray, "_"]
AffineMaps = Shaped[ndarray, "cells outputs columns"]
Weight = Shaped[ndarray, "outputs d"]
Offset = Shaped[ndarray, "outputs"]
Point = Shaped[ndarray, "d"]
