"""Import of QONNX files and Brevitas modules: from floats with quantizers to the integer graph, exactly.

Needs the packages of the ``[qonnx]`` extra; :func:`import_module` those of ``[train]`` as well.
"""

from . import available  # noqa: F401  (first: it says what is missing)
from .brevitas import import_module
from .failure import ImportFailure
from .imported import Imported
from .importer import import_qonnx

__all__ = ["ImportFailure", "Imported", "import_module", "import_qonnx"]
