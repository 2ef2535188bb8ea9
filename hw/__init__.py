"""Amaranth templates: one per file, streams in and out, with a NumPy model, closed-form timing and features."""

from .elements.add import Add
from .elements.argmax import ArgMax
from .elements.concat import Concat
from .elements.requantizer import Requantizer
from .elements.table import Table
from .elements.threshold import Threshold
from .elements.threshold_search import ThresholdSearch
from .fabric.fifo import StreamFIFO
from .fabric.fork import Fork
from .fabric.register_slice import RegisterSlice
from .fabric.width_converter import WidthConverter
from .lookup.table_matvec import TableMatVec
from .matvec.matvec import MatVec
from .memory.rom import Rom
from .packed.packed_matvec import PackedMatVec
from .planes.bit_serial_matvec import BitSerialMatVec
from .spatial.depth_to_space import DepthToSpace
from .spatial.depthwise import Depthwise
from .spatial.global_pool import GlobalPool
from .spatial.loop_buffer import LoopBuffer
from .spatial.loops import Loops
from .spatial.pad import Pad
from .spatial.patch_window import PatchWindow
from .spatial.pool import Pool
from .spatial.upsample import Upsample
from .spatial.window import Window
from .stream import vector

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
