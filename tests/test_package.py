"""What a wheel and a source archive hold: every subpackage as files of its own, with the data that they read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = {".yaml", ".npz", ".svg", ".v", ".j2", ".css"}


def tracked() -> list[str]:
    """The files of the checkout that belong to the package, as paths below ``bitloom/``."""
    links = [link for link in (ROOT / "src" / "bitloom").iterdir() if link.is_symlink()]
    found = ["__init__.py", "py.typed"]
    for link in links:
        for path in link.resolve().rglob("*"):
            if path.suffix in DATA | {".py"} and "__pycache__" not in path.parts and not path.name.startswith("."):
                found.append(path.relative_to(ROOT).as_posix())
    return sorted(found)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel and a source archive, built from a copy of the checkout with the setuptools that is installed."""
    copy, out = tmp_path_factory.mktemp("copy") / "bitloom", tmp_path_factory.mktemp("dist")
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
    done = subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)],
                          capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_the_links_lead_to_the_folders_beside_them() -> None:
    links = [link for link in (ROOT / "src" / "bitloom").iterdir() if link.is_symlink()]
    assert {link.name for link in links} >= {"boards", "cli", "codegen", "examples", "hw", "quant", "sim"}
    for link in links:
        assert link.readlink() == Path("..", "..", link.name)
        assert (link / "__init__.py").is_file()


def test_the_wheel_holds_every_module_and_what_it_reads(archives: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(archives[0]) as wheel:
        names = wheel.namelist()
    below = {name.removeprefix("bitloom/") for name in names if name.startswith("bitloom/")}
    assert [name for name in tracked() if name not in below] == []
    roots = {name.split("/")[0] for name in names}
    assert len(roots) == 2 and "bitloom" in roots  # nothing bare beside it but the wheel's own .dist-info
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_builds_the_same(archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[1]) as archive:
        members = {member.name.split("/", 1)[-1]: member for member in archive.getmembers()}
    missing = [name for name in tracked() if f"src/bitloom/{name}" not in members and name not in members]
    assert missing == []
    assert {"pyproject.toml", "README.md", "LICENSE"} <= set(members)
