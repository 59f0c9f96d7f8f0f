"""Messages to a process of one's own: everything arrives, and nothing large is copied twice."""

from __future__ import annotations

import io
import os
import pickle
from threading import Thread

import numpy as np
import pytest
import torch

from napari_lgmsnet.core.finetune.wire import receive, send
from napari_lgmsnet.core.inference import predict
from napari_lgmsnet.core.io import read, write
from napari_lgmsnet.core.types import Volume
from tests.core.helpers import small_model


def posted(writer, message):
    """Send a message, and end the pipe in any case."""
    with writer:
        send(writer, message)


def sent(message):
    """Send a message through a real pipe and return what arrives."""
    out, into = os.pipe()
    with os.fdopen(out, "rb") as reader, os.fdopen(into, "wb") as writer:
        sender = Thread(target=posted, args=(writer, message))
        sender.start()
        arrived = receive(reader)
        sender.join()
    return arrived


@pytest.mark.parametrize("ending", ["nii.gz", "tif", "png", "nrrd"])
def test_an_image_of_any_file_arrives_with_its_geometry(tmp_path, ending):
    shape = (20, 30) if ending == "png" else (4, 20, 30)
    data = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    affine = np.diag([*[2.0, 0.5, 0.75][-len(shape) :], 1.0])
    units = "pixel" if ending == "png" else "mm"
    made = Volume(data, "ZYX"[-len(shape) :], np.eye(3) if units == "pixel" else affine, units)
    path = write(tmp_path / f"scan.{ending}", made)
    image = read(path or tmp_path / f"scan.{ending}").loaded()
    arrived = sent(image)
    assert np.array_equal(arrived.data, image.data)
    assert np.array_equal(arrived.affine, image.affine)
    assert (arrived.axes, arrived.units, arrived.name) == (image.axes, image.units, image.name)
    assert arrived.source.keys() == image.source.keys()


def test_a_model_arrives_with_its_weights():
    """Also one that has answered: what was built to run it stays behind."""
    model = small_model(2)
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    expected = predict(model, image, engine="fused", device="cpu").labels
    arrived = sent(model)
    used, unused = io.BytesIO(), io.BytesIO()
    send(used, model)
    send(unused, small_model(2))
    assert len(used.getvalue()) < len(unused.getvalue()) + 1000
    assert np.array_equal(predict(arrived, image, device="cpu").labels, expected)
    assert arrived.info == model.info
    assert not arrived.network.training
    mine, theirs = model.network.state_dict(), arrived.network.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_arrays_travel_beside_the_pickle():
    array = np.arange(3_000_000, dtype=np.float32).reshape(3, 1000, 1000)
    pipe = io.BytesIO()
    send(pipe, {"one": array})
    assert len(pipe.getvalue()) < array.nbytes + 10_000
    head = int.from_bytes(pipe.getvalue()[4:12], "little")
    assert head < 10_000 < len(pickle.dumps(array))
    pipe.seek(0)
    arrived = receive(pipe)["one"]
    assert np.array_equal(arrived, array)
    arrived[0] = 0


@pytest.mark.parametrize("kept", [0, 3, 4, 11, -1])
def test_an_end_that_comes_too_early_is_noticed(kept):
    pipe = io.BytesIO()
    send(pipe, np.arange(1000))
    with pytest.raises(EOFError):
        receive(io.BytesIO(pipe.getvalue()[:kept]))
