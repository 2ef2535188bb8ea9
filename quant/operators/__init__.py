"""The operators of the integer graph, one file each: what they accept, compute and can give."""

from .add import Add
from .argmax import ArgMax
from .concat import Concat
from .conv import Conv
from .depth_to_space import DepthToSpace
from .lookup import Lookup
from .matmul import MatMul
from .multiply import Multiply
from .pad import Pad
from .pool import Pool
from .requantize import Requantize
from .reshape import Reshape
from .table import Table
from .threshold import Threshold
from .upsample import Upsample
from .window import Window

OPERATORS = (Add, ArgMax, Concat, Conv, DepthToSpace, Lookup, MatMul, Multiply, Pad, Pool, Requantize, Reshape, Table,
             Threshold, Upsample, Window)
"""Every operator but the input."""

__all__ = ["OPERATORS", *(operator.__name__ for operator in OPERATORS)]
