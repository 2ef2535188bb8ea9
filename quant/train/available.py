"""A clear error where the packages of the ``[train]`` extra are missing."""

from importlib.util import find_spec

from bitloom import RequestError

PACKAGES = ("torch", "brevitas", "sklearn", "matplotlib")

for package in PACKAGES:
    if find_spec(package) is None:
        raise RequestError(f"training needs the package {package}, which is missing: pip install 'bitloom[train]'")
