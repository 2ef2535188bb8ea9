"""A clear error where the package of the ``[sweep]`` extra is missing."""

from importlib.util import find_spec

from bitloom import RequestError

if find_spec("matplotlib") is None:
    raise RequestError("studies need the package matplotlib, which is missing: pip install 'bitloom[sweep]'")
