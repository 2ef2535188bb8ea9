"""Finding and downloading the files of data sets, with a web server of the test's own."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitloom import RequestError
from bitloom.quant.train.data import DataUnavailable, files
from bitloom.quant.train.data.files import RemoteFile, cache_folder, find, obtain

CONTENT = bytes(range(256)) * 3000


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data folder anywhere, and a cache that is empty."""
    monkeypatch.delenv("BITLOOM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "BESIDE", tmp_path / "beside")
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[str]:
    """The address of a server of :data:`CONTENT`."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "data.bin").write_bytes(CONTENT)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def wanted(home: str, name: str = "data.bin", digest: str = hashlib.sha256(CONTENT).hexdigest()) -> RemoteFile:
    return RemoteFile("sub/data.bin", f"{home}/{name}", digest)


def put(folder: Path, content: bytes) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "data.bin").write_bytes(content)
    return folder / "sub" / "data.bin"


def test_the_order_in_which_places_are_searched(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = wanted("http://nowhere.invalid")
    assert find(file) is None
    for place in (cache_folder(), files.BESIDE, places / "mine"):
        path = put(place, b"x")
        if place == places / "mine":
            monkeypatch.setenv("BITLOOM_DATA", str(place))
        assert find(file) == path == obtain(file)


def test_a_variable_that_names_no_folder(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITLOOM_DATA", str(places / "none"))
    with pytest.raises(RequestError, match=r"BITLOOM_DATA must name a folder, and .*none is none"):
        find(wanted("http://nowhere.invalid"))


def test_a_download_is_kept_and_told(places: Path, home: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = obtain(wanted(home))
    assert path == places / "cache" / "bitloom" / "sub" / "data.bin" and path.read_bytes() == CONTENT
    shown = capsys.readouterr()
    assert "downloading" in shown.err and shown.out == ""
    (places / "www" / "data.bin").unlink()
    assert obtain(wanted(home)) == path


@pytest.mark.parametrize(("name", "digest", "message"), [
    ("none.bin", "0" * 64, r"sub/data.bin is not at hand, and downloading it failed \(HTTPError: HTTP Error 404"),
    ("data.bin", "0" * 64, r"data.bin: its SHA-256 must be 0000.* and is [0-9a-f]{64};"),
])
def test_what_fails_leaves_nothing(places: Path, home: str, name: str, digest: str, message: str) -> None:
    with pytest.raises(DataUnavailable, match=message) as caught:
        obtain(wanted(home, name, digest))
    text = str(caught.value)
    assert "\n" not in text and f"put {home}/{name} as sub/data.bin into a folder" in text and "BITLOOM_DATA" in text
    assert list((places / "cache").rglob("*.bin*")) == []


def test_no_server_is_one_line(places: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"downloading it failed \(URLError: .*; put http://127.0.0.1:9/x as"):
        obtain(RemoteFile("sub/data.bin", "http://127.0.0.1:9/x", "0" * 64))
