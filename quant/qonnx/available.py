"""A clear error where the packages of the ``[qonnx]`` extra are missing."""

from ..files import require_qonnx

require_qonnx()
