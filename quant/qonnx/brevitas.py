"""Import of a Brevitas module: exported to QONNX, then read like any other file."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..formats import Format
from ..reals import entry_of
from .checked import checked
from .failure import ImportFailure
from .imported import Imported
from .importer import FAULTS, Progress, import_proto, silent
from .model import read

if TYPE_CHECKING:
    import torch


def import_module(module: torch.nn.Module, sample: torch.Tensor, *, name: str | None = None,
                  input_format: Format | None = None, input_scale: float | None = None,
                  input_offset: float = 0.0, requantize: str = "auto", check: int | None = None,
                  progress: Progress = silent) -> Imported:
    """The integer graph of a Brevitas module in eval mode, for inputs of the shape of ``sample`` (batch first).

    It is compared with the file that Brevitas makes of it. The options are those of
    :func:`~bitloom.quant.qonnx.import_qonnx`. Where neither they nor a quantizer at the module's input say what its
    integers are, a warning says what was assumed.
    """
    try:
        import torch
        from brevitas.export import export_qonnx
    except ImportError as error:
        raise ImportFailure(f"importing a module needs the package {error.name}; pip install 'bitloom[train,qonnx]'") \
            from error
    title = name or type(module).__name__
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "module.onnx"
        for dynamo in (False, True):  # torch's older exporter is faster and knows more; the newer one will outlive it
            try:
                exported = copy.deepcopy(module).eval()  # a failed export leaves a module unusable
                export_qonnx(exported, args=sample[:1], export_path=str(path), dynamo=dynamo, verbose=False)
                break
            except ImportError as error:
                raise ImportFailure(f"{title}: Brevitas' export needs more packages ({error}); "
                                    "pip install 'bitloom[train,qonnx]'") from error
            except FAULTS as error:
                failure = error
        else:
            raise ImportFailure(f"{title}: Brevitas cannot export it ({type(failure).__name__}: {failure}); "
                                "leave out operations that its QONNX export does not know") from failure
        proto = read(path)
    imported = import_proto(proto, title, name=title, input_format=input_format, input_scale=input_scale,
                            input_offset=input_offset, requantize=requantize)
    entry = entry_of(imported.graph)
    if entry is not None and entry.assumed:
        warnings.warn(f"{title}: {next(note for note in imported.notes if 'assumed' in note)}", stacklevel=2)
    return checked(imported, proto, check, progress)
