"""OME-Zarr by its address from a server on this machine: the px of the folder, bounded whatever the server sends."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import zarr
from patience import SECONDS

from diffuscope.errors import InputError
from diffuscope.scans import open_input, open_scan
from diffuscope.scans.guards import remote_store

pytest.importorskip("aiohttp")
PIXELS = np.random.default_rng(0).integers(0, 60000, (2, 400, 520), dtype=np.uint16)


class Server(SimpleHTTPRequestHandler):
    """Serves a folder, ranges too where it `knows_ranges`."""

    knows_ranges = True

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append((self.path, asked))
        if self.path.endswith("/moved.zarr/zarr.json"):
            self.send_response(302)
            self.send_header("Location", "/image.zarr/zarr.json")
            self.end_headers()
            return
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, status = path.read_bytes(), 200
        if self.knows_ranges and (found := re.fullmatch(r"bytes=(-?\d+)-?(\d*)", asked)):
            start, stop = int(found[1]), int(found[2] or -1) + 1
            data, status = (data[start:] if start < 0 else data[start:stop]), 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def served(request, tmp_path) -> Iterator[tuple[str, Path, list]]:
    handler = type("Handler", (Server,), {"knows_ranges": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path, server.asked
    server.shutdown()
    server.server_close()
    thread.join()


def write(folder: Path, version: str, **options: object) -> Path:
    form = 2 if version == "0.4" else 3
    group = zarr.create_group(store=folder, zarr_format=form)
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    datasets = []
    for level, pixels in enumerate((PIXELS, PIXELS[:, ::2, ::2])):
        array = group.create_array(
            str(level), shape=pixels.shape, dtype=pixels.dtype, chunks=(2, 128, 128), overwrite=True, **options
        )
        array[...] = pixels
        scale = [1.0, 0.5 * 2**level, 0.5 * 2**level]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    about = {"multiscales": [{"version": version, "axes": axes, "datasets": datasets}]}
    group.attrs.update(about if form == 2 else {"ome": {"version": version, **about}})
    return folder


@pytest.mark.parametrize(
    ("version", "options"),
    [("0.4", {}), ("0.5", {}), ("0.5", {"shards": (2, 256, 256)})],
    ids=["0.4", "0.5", "0.5 in shards"],
)
def test_an_address_reads_as_the_folder_does(served, version, options) -> None:
    address, folder, asked = served
    here = open_scan(write(folder / "image.zarr", version, **options))
    scan = open_input(f"{address}/image.zarr")
    assert (scan.format, scan.mpp, scan.shape, scan.channels) == (here.format, 0.5, (400, 520), here.channels)
    assert all(
        not path.startswith("/image.zarr/0/") or Path(path).name.startswith((".z", "zarr.json")) for path, _ in asked
    )
    np.testing.assert_array_equal(scan.sources[0].read(100, 300, 200, 500), here.sources[0].read(100, 300, 200, 500))
    np.testing.assert_array_equal(scan.levels[0].compute(), here.levels[0].compute())
    assert all(wanted for _, wanted in asked), "something was asked for without a bound"
    again = open_scan(Path(f"{address}/image.zarr"))  # one slash of two is lost in a path
    assert again.fingerprint == scan.fingerprint
    zarr.open_group(folder / "image.zarr", mode="r+")["1"][0, 0, 0] += 1
    assert open_scan(f"{address}/image.zarr").fingerprint != scan.fingerprint


@pytest.mark.parametrize("served", [True], ids=["ranges"], indirect=True)
def test_of_s3_a_bucket_reads_as_the_folder_does(served, monkeypatch) -> None:
    s3fs = pytest.importorskip("s3fs")
    address, folder, asked = served
    # Where a bucket lies elsewhere than with Amazon, its server is told so.
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    s3fs.S3FileSystem.clear_instance_cache()
    here = open_scan(write(folder / "bucket/image.zarr", "0.5", shards=(2, 256, 256)))
    scan = open_input("s3://bucket/image.zarr")
    assert (scan.format, scan.mpp, scan.shape, scan.channels) == (here.format, 0.5, (400, 520), here.channels)
    np.testing.assert_array_equal(scan.levels[0].compute(), here.levels[0].compute())
    assert all(wanted for _, wanted in asked), "something was asked for without a bound"
    with pytest.raises(InputError, match=r"no OME-Zarr was found at the address of none\.zarr, or not everybody may"):
        open_scan("s3://bucket/none.zarr")
    s3fs.S3FileSystem.clear_instance_cache()


def test_what_is_larger_than_it_says_is_refused_before_it_has_come(served) -> None:
    address, folder, _ = served
    path = write(folder / "image.zarr", "0.4")
    chunk = path / "0/0.1.1" if (path / "0/0.1.1").exists() else path / "0/0/1/1"
    chunk.write_bytes(bytes(50_000_000))
    scan = open_scan(f"{address}/image.zarr")
    with pytest.raises(InputError, match="more than its metadata declare"):
        scan.sources[0].read(130, 140, 130, 140)
    np.testing.assert_array_equal(scan.sources[0].read(0, 100, 0, 100), np.moveaxis(PIXELS[:, :100, :100], 0, -1))
    (path / ".zattrs").write_text(json.dumps({"multiscales": "a" * 20_000_000}))
    with pytest.raises(InputError, match=r"image\.zarr"):
        open_scan(f"{address}/image.zarr")


def test_a_redirection_is_not_followed_and_what_is_not_there_is_said(served) -> None:
    address, folder, _ = served
    write(folder / "image.zarr", "0.5")
    with pytest.raises(InputError, match="the server answers 302"):
        open_scan(f"{address}/moved.zarr")
    with pytest.raises(InputError, match=r"no OME-Zarr was found at the address of none\.zarr, or not everybody may"):
        open_scan(f"{address}/none.zarr")
    with pytest.raises(InputError, match=r"address of no OME-Zarr"):
        open_scan(f"{address}/slide.svs")
    with pytest.raises(InputError, match="give a plain one"):
        open_scan(f"{address}/image.zarr?token=1")
    with pytest.raises(InputError, match="give a plain one"):
        open_scan("https://me:secret@host/image.zarr")


def test_a_path_out_of_it_is_not_asked_for(served) -> None:
    address, folder, asked = served
    path = write(folder / "image.zarr", "0.5")
    text = (path / "zarr.json").read_text().replace('"path": "0"', '"path": "../secret"')
    (path / "zarr.json").write_text(text)
    with pytest.raises(InputError, match=r"image\.zarr"):
        open_scan(f"{address}/image.zarr")
    assert not any("secret" in where for where, _ in asked)


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(remote_store, "WHOLE", 0.5)
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    with pytest.raises(InputError, match=r"cannot be read from the net \(it does not answer\)"):
        open_scan(f"http://127.0.0.1:{port}/image.zarr")
    silent.close()
    with pytest.raises(InputError, match="look at the address and the connection"):
        open_scan(f"http://127.0.0.1:{port}/image.zarr")


@pytest.mark.slow
@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/image.zarr", "s3://bucket/image.zarr"])
def test_where_nobody_answers_a_shell_shows_one_sentence_and_nothing_else(address) -> None:
    # zarr asks for several files at once: at the end of the program the others are still asked for.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "diffuscope", "info", address.format(port=port)],
            env={**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: image.zarr cannot be read from the net (")


@pytest.mark.parametrize(("scheme", "library"), [("https", "aiohttp"), ("s3", "s3fs")])
def test_without_the_library_one_sentence_says_what_to_install(monkeypatch, scheme, library) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == library else find(name, *rest))
    with pytest.raises(InputError, match=rf'install {library}: pip install "diffuscope\[remote\]"'):
        open_scan(f"{scheme}://host/image.zarr")
