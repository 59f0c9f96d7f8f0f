"""A local web server for tests of downloads, and samples that lie on it."""

import hashlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image


class Server:
    """Serves what is in ``files``.

    Attributes
    ----------
    files : dict of str to bytes
        By the name in the address.
    slow : set of str
        Names of which only the first half is sent until ``go_on`` is set.
    cut : set of str
        Names of which only the first half is sent before the connection is closed.
    asked : list of str
        Names that were asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.slow: set[str] = set()
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.removeprefix("/")
        self.asked.append(name)
        if name not in self.files:
            handler.send_error(404)
            return
        content = self.files[name]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        half = len(content) // 2
        handler.wfile.write(content[:half])
        handler.wfile.flush()
        if name in self.cut:
            return
        if name in self.slow:
            self.go_on.wait(60)
        handler.wfile.write(content[half:])


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # the other side may go away
                server.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, args=(0.01,))
    thread.start()
    server.url = f"http://127.0.0.1:{web.server_port}/"
    try:
        yield server
    finally:
        server.go_on.set()
        web.shutdown()
        web.server_close()
        thread.join()


def closed_port() -> str:
    """Return an address at which nobody answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/"


def nifti(data: np.ndarray) -> bytes:
    return nibabel.Nifti1Image(data, np.diag([2.0, 3, 4, 1])).to_bytes()


def png(data: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(data).save(stream, format="PNG")
    return stream.getvalue()


def two_samples(folder: Path, server: Server) -> Path:
    """Write an index with a volume and a picture that lie on the server; return its folder."""
    noise = np.random.default_rng(0).integers(0, 99, (40, 50, 60)).astype(np.int16)
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[5:9, 7:12] = (250, 4, 0)
    picture[1:3, 1:3] = (0, 255, 0)
    server.files |= {
        "t2.nii": nifti(noise),
        "t2_seg.nii": nifti((noise > 50).astype(np.uint8)),
        "us.png": png(np.full((20, 30), 77, np.uint8)),
        "us_mask.png": png(picture),
    }

    def entry(name: str, image: str, reference: str, **more: Any) -> dict[str, Any]:
        files = {
            role: {
                "name": file,
                "url": server.url + file,
                "sha256": hashlib.sha256(server.files[file]).hexdigest(),
            }
            for role, file in (("image", image), ("reference", reference))
        }
        about = {"title": f"{name} (download)", "kind": "3d", "licence": "MIT", "source": "here"}
        return {"name": name, "files": files, **about, **more}

    downloads = [
        entry("spinal-cord-t2", "t2.nii", "t2_seg.nii"),
        entry("breast-ultrasound", "us.png", "us_mask.png", reference_colour=[255, 0, 0]),
    ]
    (folder / "index.json").write_text(json.dumps({"samples": [], "downloads": downloads}))
    return folder
