"""Sources of pictures: rendered, mapped from a file, read from a folder; and how they are split."""

import contextlib
import ctypes
import gc
import io
import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pictured import paint
from PIL import Image

from misalign.images import npz
from misalign.images.base import split
from misalign.images.cached import CachedImages
from misalign.images.folder import ImageFolder
from misalign.images.layout import picture_name
from misalign.images.npz import NpzImages
from misalign.images.rendered import RenderedImages
from misalign.worlds import mpi3d

PAGE = "https://example.org/pictures"
SHAPE = (24, 2, 2, 3)


def pictures_of(shape=SHAPE, dtype=np.uint8):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def stored(path, shape=SHAPE):
    factors = {"color": torch.arange(shape[0])}
    return NpzImages(path, factors, shape, page=PAGE)


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def file(request, tmp_path):
    path = tmp_path / "pictures.npz"
    request.param(path, images=pictures_of(), other=np.zeros(3))
    return path


# ---- split


def test_split_is_disjoint_complete_and_as_large_as_the_paper_has_it():
    parts = split(mpi3d.COUNT, mpi3d.SHARES, seed=0)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 414_720,
        "evaluation": 23_040,
        "test": 23_040,
    }
    assert torch.equal(torch.cat(list(parts.values())).sort().values, torch.arange(mpi3d.COUNT))


def test_split_of_fewer_pictures_is_proportional():
    parts = split(1003, (80_000, 10_000, 10_000), seed=0)
    assert [len(part) for part in parts.values()] == [803, 100, 100]


def test_split_depends_on_the_seed_alone():
    one, same, other = (split(100, (8, 1, 1), seed=seed)["test"] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_split_leaves_no_part_empty(complains):
    with complains("n", "enough pictures for three parts", "5, so parts of [5, 0, 0]"):
        split(5, (8, 1, 1), seed=0)


# ---- rendered


class Painter:
    """Renderer that remembers how many pictures each call made."""

    def __init__(self):
        self.calls = []

    def __call__(self, factors):
        self.calls.append(len(factors["a"]))
        return paint(factors)


def rendered(n=10):
    painter = Painter()
    names = ("a", "b", "c")
    factors = {name: torch.arange(n) + 10 * i for i, name in enumerate(names)}
    return RenderedImages(painter, factors, batch=4), painter.calls


@pytest.mark.parametrize("keep", [True, False])
def test_rendered_pictures_are_those_of_the_indices_in_any_order(keep):
    source, _ = rendered()
    source = CachedImages(source) if keep else source
    indices = torch.tensor([7, 0, 7, 3, 9, 1, 2])
    expected = paint({name: values[indices] for name, values in source.factors.items()})
    for _ in range(2):
        images = source.images(indices)
        assert images.dtype == torch.uint8
        assert torch.equal(images, expected)


@pytest.mark.parametrize(("keep", "expected"), [(True, [3, 1]), (False, [3, 4, 4])])
def test_kept_pictures_are_rendered_once_and_others_each_time(keep, expected):
    source, calls = rendered()
    source = CachedImages(source) if keep else source
    source.images(torch.tensor([4, 1, 4, 2]))
    source.images(torch.tensor([1, 2, 4, 5]))
    source.images(torch.tensor([5, 4, 2, 1]))
    assert calls == expected


def test_filling_makes_what_is_missing_in_batches_and_nothing_twice():
    source, calls = rendered()
    kept = CachedImages(source, batch=4)
    kept.images(torch.tensor([3]))
    kept.fill()
    assert calls == [1, 4, 4, 1]
    everything = torch.arange(10)
    assert torch.equal(kept.images(everything), paint(source.factors))
    kept.to("cpu").images(everything)
    assert calls == [1, 4, 4, 1]


def test_factors_of_a_source_have_one_length(complains):
    with complains("factors", "as many values of each", "{'a': 2, 'b': 3}"):
        RenderedImages(paint, {"a": torch.zeros(2), "b": torch.zeros(3)})


# ---- a file of pictures


def test_pictures_of_a_file_are_those_of_the_indices_in_any_order(file):
    indices = torch.tensor([5, 23, 0, 5])
    images = stored(file).images(indices)
    expected = torch.from_numpy(pictures_of()[indices.numpy()]).permute(0, 3, 1, 2)
    assert images.dtype == torch.uint8
    assert torch.equal(images, expected)


def test_pictures_of_a_file_are_mapped_in_place_or_extracted_once(file, monkeypatch):
    source = stored(file)
    beside = file.with_name("pictures.images.npy")
    assert isinstance(source.array, np.memmap)
    with zipfile.ZipFile(file) as archive:
        packed = archive.getinfo("images.npy").compress_type != zipfile.ZIP_STORED
    assert Path(source.array.filename) == (beside if packed else file)
    assert set(file.parent.iterdir()) == ({file, beside} if packed else {file})
    monkeypatch.setattr(npz.shutil, "copyfileobj", lambda *_: pytest.fail("extracted again"))
    assert np.array_equal(stored(file).array, pictures_of())


def test_an_extracted_file_gives_way_to_a_newer_one(tmp_path):
    path = tmp_path / "pictures.npz"
    np.savez_compressed(path, images=pictures_of())
    stored(path)
    np.savez_compressed(path, images=pictures_of() + 1)
    assert np.array_equal(stored(path).array, pictures_of() + 1)


def test_a_big_file_takes_no_memory(tmp_path):
    """The published file's size, all holes: a zip64 archive of one stored member, by hand."""
    path = tmp_path / "real3d_complicated_shapes_ordered.npz"
    sparse_npz(path, mpi3d.SHAPE)
    before = resident()
    source = mpi3d.stored(path)
    images = source.images(torch.tensor([460_799, 0, 230_000]))
    assert images.shape == (3, 3, 64, 64)
    assert images[0, 0, -1, -1] == 7  # the last picture's, which alone is not all zeros
    assert images[1:].max() == 0
    source.images(torch.arange(0, 460_800, 200))
    # factors take 26 MB, all pictures would take 5.7 GB and those just read 28 MB
    assert resident() - before < 100


def resident():
    """Memory that this process has in use, in MB; elsewhere than on Linux its peak."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        # what was freed, here or by tests before, may still be the allocator's: give it back
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    table = Path("/proc/self/statm")
    if not table.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return int(table.read_text().split()[1]) * resource.getpagesize() / 1e6


def test_reading_pictures_leaves_no_pages_behind(tmp_path):
    """A page that is read brings its neighbours along, which would add up over a training."""
    path = tmp_path / "pictures.npz"
    shape = (8000, 64, 64, 3)  # 98 MB
    np.savez(path, images=np.zeros(shape, np.uint8))
    source = stored(path, shape)
    source.images(torch.arange(10))
    before = resident()
    for start in range(8):
        assert not source.images(torch.arange(start, 8000, 400)).any()
    assert resident() - before < 20


def sparse_npz(path, shape):
    header = io_header(shape)
    size = len(header) + int(np.prod(shape))
    name = b"images.npy"
    sizes = struct.pack("<HHQQ", 1, 16, size, size)
    big = 0xFFFFFFFF
    common = (45, 0, 0, 0, 0x21, 0, big, big, len(name))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *common, len(sizes)) + name + sizes
    central = (
        struct.pack("<4sH5H3L5H2L", b"PK\1\2", 45, *common, len(sizes), 0, 0, 0, 0, 0)
        + name
        + sizes
    )
    start = len(local) + size
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(central), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(central), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), big, 0)
    with path.open("wb") as file:
        file.write(local + header)
        file.seek(start - 1 - 2)
        file.write(b"\7\0\0" + central + end64 + locator + end)


def io_header(shape):
    buffer = io.BytesIO()
    options = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, options)
    return buffer.getvalue()


def test_a_file_that_is_cut_short_says_so(file, complains):
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with complains(str(file), "a whole .npz file", "cut short?"):
        stored(file)


def test_a_damaged_compressed_file_leaves_nothing_behind(tmp_path, complains):
    path = tmp_path / "pictures.npz"
    np.savez_compressed(path, images=pictures_of((4000, 2, 2, 3)))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(data))
    with complains(str(path), "a whole .npz file", "cut short?"):
        stored(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_stored_array_longer_than_its_file_says_so(tmp_path, complains):
    path = tmp_path / "pictures.npz"
    header = io_header((10**9, 2, 2, 3))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header)
    with complains(str(path), "at least 12,000,000", "cut short?"):
        stored(path)


@pytest.mark.parametrize(
    ("array", "expected", "got"),
    [
        (pictures_of((24, 3, 2, 3)), "images of shape (24, 2, 2, 3)", "shape (24, 3, 2, 3)"),
        (pictures_of((5, 2, 2, 3)), "images of shape (24, 2, 2, 3)", "shape (5, 2, 2, 3)"),
        (pictures_of(dtype=np.float32), "images of dtype uint8", "dtype float32"),
    ],
)
def test_another_array_says_what_it_is_and_where_the_right_one_is(
    tmp_path, complains, array, expected, got
):
    path = tmp_path / "pictures.npz"
    np.savez(path, images=array)
    with complains(str(path), f"{expected} (from {PAGE})", got):
        stored(path)


def test_a_missing_array_says_which_there_are(tmp_path, complains):
    path = tmp_path / "pictures.npz"
    np.savez(path, pictures=pictures_of(), labels=np.zeros(2))
    with complains(str(path), "an array named images", "pictures, labels"):
        stored(path)


def test_a_missing_file_says_where_to_get_it(tmp_path, complains):
    path = tmp_path / "pictures.npz"
    with complains(str(path), f"an .npz file (from {PAGE})", "nothing there", FileNotFoundError):
        stored(path)


def test_objects_are_never_unpickled(tmp_path, complains):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "pictures.npz"
    np.savez(path, images=np.array([Trap()], dtype=object))
    with complains(str(path), "an array of numbers", "objects"):
        stored(path)


def test_an_array_that_runs_by_column_is_refused(tmp_path, complains):
    path = tmp_path / "pictures.npz"
    np.savez(path, images=np.asfortranarray(pictures_of()))
    with complains(str(path), "runs by row", "runs by column"):
        stored(path)


# ---- a folder of pictures

NAMES, COLUMNS = ("shape", "s_pos"), ("object_shape", "spotlight_pos")


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures in the published layout, picture i all of grey i."""
    (tmp_path / "images").mkdir()
    for i in range(12):
        grey = Image.new("RGB", (5, 4), (i, i, i))
        grey.save(tmp_path / "images" / f"{i:02d}.png")
    table = pd.DataFrame({"object_shape": [i % 7 for i in range(12)], "extra": "word"})
    table["spotlight_pos"] = [i / 12 for i in range(12)]
    table.to_csv(tmp_path / "latents_image.csv", index=False)
    return tmp_path


def source(folder):
    return ImageFolder(folder, NAMES, ("shape",))


def test_pictures_and_factors_of_a_folder_belong_together(folder):
    pictures = source(folder)
    indices = torch.tensor([11, 3, 3, 0])
    images = pictures.images(indices)
    assert images.shape == (4, 3, 4, 5)
    assert images.dtype == torch.uint8
    assert torch.equal(images[:, 1, 2, 3].long(), indices)
    assert len(pictures) == 12
    assert torch.equal(pictures.factors["shape"], torch.arange(12) % 7)
    assert torch.equal(pictures.factors["s_pos"], torch.arange(12) / 12)


def test_a_folder_can_be_kept_in_memory(folder):
    kept = CachedImages(source(folder), batch=5)
    kept.fill()
    for file in (folder / "images").iterdir():
        file.unlink()
    assert kept.images(torch.tensor([9, 2, 9]))[:, 0, 0, 0].tolist() == [9, 2, 9]


def test_whole_numbers_may_be_written_with_a_point(folder):
    path = folder / "latents_image.csv"
    table = pd.read_csv(path)
    table["object_shape"] = table["object_shape"].astype(float)
    table.to_csv(path, index=False)
    assert source(folder).factors["shape"].dtype == torch.int64


@pytest.mark.parametrize("n", [1, 9, 10, 11, 100, 101, 1000, 100_000])
def test_pictures_are_named_as_in_the_published_layout(n):
    width = int(np.ceil(np.log10(n)))
    assert all(picture_name(i, n) == f"{str(i).zfill(width)}.png" for i in {0, n // 2, n - 1})


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(folder, complains, column):
    path = folder / "latents_image.csv"
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with complains(str(path), "columns object_shape, spotlight_pos", f"none named {column}"):
        source(folder)


def test_a_missing_picture_is_named(folder, complains):
    (folder / "images" / "07.png").unlink()
    expected = "12 pictures, one a row of latents_image.csv"
    with complains(
        str(folder / "images"), expected, "11 pictures and no 07.png", FileNotFoundError
    ):
        source(folder)


def test_more_pictures_than_rows_are_refused(folder, complains):
    Image.new("RGB", (5, 4)).save(folder / "images" / "12.png")
    with complains(str(folder / "images"), "12 pictures, one a row", "13 pictures"):
        source(folder)


@pytest.mark.parametrize(
    ("name", "expected", "got"),
    [("latents_image.csv", "a table", "nothing there"), ("images", "a folder of pictures", "none")],
)
def test_a_missing_table_or_folder_is_named(folder, complains, name, expected, got):
    (folder / name).rename(folder / "elsewhere")
    with complains(str(folder / name), expected, got, FileNotFoundError):
        source(folder)


def test_a_word_for_a_number_is_quoted(folder, complains):
    path = folder / "latents_image.csv"
    table = pd.read_csv(path).astype(object)
    table.loc[4, "object_shape"] = "horse"
    table.to_csv(path, index=False)
    with complains("object_shape", "whole numbers", "'horse'"):
        source(folder)


def test_a_picture_of_another_size_or_none_at_all_is_named(folder, complains):
    pictures, odd = source(folder), folder / "images" / "05.png"
    Image.new("RGB", (6, 4)).save(odd)
    with complains(str(odd), "5 x 4 pixels, as the pictures beside it", "6 x 4 pixels"):
        pictures.images(torch.arange(12))
    odd.write_bytes(odd.read_bytes()[:40])
    with complains(str(odd), "a whole picture", ""):
        pictures.images(torch.tensor([5]))
