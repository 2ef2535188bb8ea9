"""A clear error where the packages of the ``[qonnx]`` extra are missing."""

from importlib.util import find_spec

from bitloom import RequestError

if find_spec("onnx") is None:
    raise RequestError("reading QONNX files needs the package onnx, which is missing: pip install 'bitloom[qonnx]'")
