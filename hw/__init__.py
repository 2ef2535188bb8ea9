"""Amaranth templates: one per file, streams in and out, with a NumPy model, closed-form timing and features."""

from .add import Add
from .argmax import ArgMax
from .bit_serial_matvec import BitSerialMatVec
from .concat import Concat
from .depth_to_space import DepthToSpace
from .depthwise import Depthwise
from .fifo import StreamFIFO
from .fork import Fork
from .global_pool import GlobalPool
from .loop_buffer import LoopBuffer
from .loops import Loops
from .matvec import MatVec
from .packed_matvec import PackedMatVec
from .pad import Pad
from .patch_window import PatchWindow
from .pool import Pool
from .register_slice import RegisterSlice
from .requantizer import Requantizer
from .rom import Rom
from .stream import vector
from .table import Table
from .table_matvec import TableMatVec
from .threshold import Threshold
from .threshold_search import ThresholdSearch
from .upsample import Upsample
from .width_converter import WidthConverter
from .window import Window

__all__ = [
    "Add",
    "ArgMax",
    "BitSerialMatVec",
    "Concat",
    "DepthToSpace",
    "Depthwise",
    "Fork",
    "GlobalPool",
    "LoopBuffer",
    "Loops",
    "MatVec",
    "PackedMatVec",
    "Pad",
    "PatchWindow",
    "Pool",
    "RegisterSlice",
    "Requantizer",
    "Rom",
    "StreamFIFO",
    "Table",
    "TableMatVec",
    "Threshold",
    "ThresholdSearch",
    "Upsample",
    "WidthConverter",
    "Window",
    "vector",
]
