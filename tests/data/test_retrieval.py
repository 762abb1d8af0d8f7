"""Finding, downloading and checking published files: on a small collection of our own, and on the real files."""

import errno
import functools
import gzip
import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from db3kd.data import cifar, load, retrieval
from db3kd.data.idx import load_published_idx
from db3kd.data.published import CIFAR10, FASHION_MNIST, MNIST, Collection, PublishedFile
from db3kd.data.retrieval import cache_folder, read_published
from db3kd.errors import DataError, StorageError
from made_files import cifar10_bytes, idx_bytes, made_images, made_labels

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")

CONTENTS = {"images": idx_bytes(made_images(5, (4, 4))), "labels": idx_bytes(made_labels(5))}


def published(name: str, content: bytes) -> PublishedFile:
    return PublishedFile(name, len(content), hashlib.sha256(content).hexdigest())


SMALL = Collection(
    name="small",
    train=tuple(published(name, content) for name, content in CONTENTS.items()),
    test=(),
    class_names=tuple("0123456789"),
    mirrors=("https://first.test/", "https://second.test/"),
)


class Mirrors:
    """Stands in for the network: answers from a table and remembers what was asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def fetch(self, url: str, target: Path) -> None:
        self.asked.append(url)
        if url not in self.answers:
            # Half a file arrives before the line breaks.
            target.write_bytes(b"\x1f\x8b half")
            raise DataError("could not be had (the line broke)")
        target.write_bytes(self.answers[url])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DB3KD_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], Mirrors]:
    def install(answers: dict[str, bytes]) -> Mirrors:
        mirrors = Mirrors(answers)
        monkeypatch.setattr(retrieval, "fetch", mirrors.fetch)
        return mirrors

    return install


Answer = Callable[[dict[str, bytes]], Mirrors]


def test_what_is_missing_is_downloaded_once_and_checked(cache: Path, answer: Answer) -> None:
    mirrors = answer({f"https://first.test/{name}.gz": gzip.compress(content) for name, content in CONTENTS.items()})
    assert read_published(SMALL, "train") == tuple(CONTENTS.values())
    assert read_published(SMALL, "train") == tuple(CONTENTS.values())
    assert mirrors.asked == ["https://first.test/images.gz", "https://first.test/labels.gz"]
    assert sorted(path.name for path in (cache / "small").iterdir()) == ["images.gz", "labels.gz"]


def test_a_mirror_that_fails_or_lies_is_passed_over(cache: Path, answer: Answer) -> None:
    mirrors = answer(
        {
            "https://second.test/images.gz": gzip.compress(CONTENTS["images"]),
            "https://first.test/labels.gz": gzip.compress(b"<html>moved</html>"),
            "https://second.test/labels.gz": gzip.compress(CONTENTS["labels"]),
        }
    )
    assert load_published_idx(SMALL, "train").ids[4] == "small/train/00004"
    assert len(mirrors.asked) == 4
    assert sorted(path.name for path in (cache / "small").iterdir()) == ["images.gz", "labels.gz"]


def test_offline_it_says_which_file_to_put_where(cache: Path, answer: Answer) -> None:
    answer({"https://first.test/images.gz": gzip.compress(b"another page")})
    with pytest.raises(DataError) as caught:
        read_published(SMALL, "train")
    message = str(caught.value)
    for expected in (
        str(cache / "small"),
        "DB3KD_DATA",
        *(f"https://first.test/{name}.gz" for name in CONTENTS),
        *(file.sha256 for file in SMALL.train),
        "https://second.test/images.gz could not be had (the line broke)",
        "https://first.test/images.gz is not images as it was published",
    ):
        assert expected in message
    assert list((cache / "small").iterdir()) == []


def test_the_way_out_of_the_offline_error_works(cache: Path, answer: Answer) -> None:
    answer({})
    (cache / "small").mkdir(parents=True)
    # One as it is downloaded, one as a browser may have unpacked it.
    (cache / "small/images.gz").write_bytes(gzip.compress(CONTENTS["images"]))
    (cache / "small/labels").write_bytes(CONTENTS["labels"])
    assert read_published(SMALL, "train") == tuple(CONTENTS.values())
    (cache / "small/images.gz").write_bytes(CONTENTS["images"])
    assert read_published(SMALL, "train") == tuple(CONTENTS.values())


@pytest.mark.parametrize("source", ["mnist", "cifar10"])
def test_a_named_data_set_offline_names_its_files(cache: Path, answer: Answer, source: str) -> None:
    mirrors = answer({})
    with pytest.raises(DataError, match="is not on this machine and could not be downloaded") as caught:
        load(source)
    collection = MNIST if source == "mnist" else CIFAR10
    assert str(cache / source) in str(caught.value)
    assert all(url.startswith("https://") for url in mirrors.asked)
    assert mirrors.asked[0].startswith(collection.mirrors[0])
    for file in MNIST.train if source == "mnist" else [CIFAR10.archive]:
        assert file is not None
        assert file.sha256 in str(caught.value)


def test_a_wrong_file_in_the_cache_is_refused_and_kept(cache: Path, answer: Answer) -> None:
    mirrors = answer({})
    (cache / "small").mkdir(parents=True)
    for name in CONTENTS:
        (cache / f"small/{name}.gz").write_bytes(gzip.compress(CONTENTS["labels"]))
    with pytest.raises(DataError, match=r"small/images\.gz is not images as it was published.*move images\.gz away"):
        read_published(SMALL, "train")
    assert (cache / "small/images.gz").is_file()
    assert mirrors.asked == []


def test_a_cache_that_cannot_be_written_is_told_so(cache: Path, answer: Answer) -> None:
    answer({})
    cache.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"cannot be written.*DB3KD_DATA"):
        read_published(SMALL, "train")


def test_a_full_disk_is_told_and_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(url: str, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(retrieval, "fetch", fetch)
    with pytest.raises(StorageError, match=r"images\.gz cannot be written.*No space left"):
        read_published(SMALL, "train")
    assert list((cache / "small").iterdir()) == []


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the name is the parent's
        pass


def test_a_real_server_is_asked_and_its_refusal_told(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(CONTENTS["images"])
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        try:
            retrieval.fetch(address + "images", tmp_path / "copy")
            with pytest.raises(DataError, match=r"could not be had.*404"):
                retrieval.fetch(address + "labels", tmp_path / "refused")
        finally:
            server.shutdown()
    assert (tmp_path / "copy").read_bytes() == CONTENTS["images"]


def test_a_server_that_does_not_answer_is_a_data_error(tmp_path: Path) -> None:
    # Port 9 of this machine: nobody listens there, and the refusal is immediate.
    with pytest.raises(DataError, match="could not be had"):
        retrieval.fetch("http://127.0.0.1:9/images.gz", tmp_path / "images.gz")


def test_the_cache_folder_is_the_platforms_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB3KD_DATA", raising=False)
    assert cache_folder().name == "db3kd"
    monkeypatch.setenv("DB3KD_DATA", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


@pytest.fixture
def small_cifar10(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    contents = {
        f"data_batch_{number}.bin": cifar10_bytes(made_images(4, (3, 32, 32), seed=number), made_labels(4))
        for number in (1, 2)
    }
    train = tuple(published(name, content) for name, content in contents.items())
    archive = published("cifar-10-binary.tar.gz", archived(contents))
    monkeypatch.setattr(cifar, "CIFAR10", replace(CIFAR10, train=train, archive=archive))
    return contents


def archived(contents: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        # The order of the real archive is not that of the numbers.
        for name, content in reversed(contents.items()):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def test_cifar10_is_read_from_a_downloaded_archive(
    cache: Path, answer: Answer, small_cifar10: dict[str, bytes]
) -> None:
    mirrors = answer({"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz": archived(small_cifar10)})
    downloaded = load("cifar10")
    assert downloaded.ids[7] == "cifar10/train/00007"
    assert load("cifar10").digest == downloaded.digest
    assert len(mirrors.asked) == 1
    assert [path.name for path in (cache / "cifar10").iterdir()] == ["cifar-10-binary.tar.gz"]


def test_cifar10_is_read_from_an_unpacked_archive(cache: Path, answer: Answer, small_cifar10: dict[str, bytes]) -> None:
    answer({"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz": archived(small_cifar10)})
    downloaded = load("cifar10")
    (cache / "cifar10/cifar-10-binary.tar.gz").unlink()
    answer({})
    folder = cache / "cifar10/cifar-10-batches-bin"
    folder.mkdir()
    for name, content in small_cifar10.items():
        (folder / name).write_bytes(content)
    assert load("cifar10").digest == downloaded.digest
    (folder / "data_batch_2.bin").write_bytes(small_cifar10["data_batch_1.bin"])
    with pytest.raises(DataError, match=r"data_batch_2\.bin is not data_batch_2\.bin as it was published"):
        load("cifar10")


def test_a_broken_archive_is_named_and_refused(cache: Path, answer: Answer, small_cifar10: dict[str, bytes]) -> None:
    answer({})
    (cache / "cifar10").mkdir(parents=True)
    place = cache / "cifar10/cifar-10-binary.tar.gz"
    place.write_bytes(archived(small_cifar10)[:-500])
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz cannot be read to its end"):
        load("cifar10")
    place.write_bytes(archived({"data_batch_1.bin": small_cifar10["data_batch_1.bin"]}))
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz holds no data_batch_2\.bin"):
        load("cifar10")
    place.write_bytes(archived({**small_cifar10, "data_batch_2.bin": small_cifar10["data_batch_1.bin"]}))
    with pytest.raises(DataError, match=r"tar\.gz holds what is not data_batch_2\.bin as it was published"):
        load("cifar10")


@needs_debian
def test_the_files_of_the_debian_package_are_found(cache: Path, answer: Answer) -> None:
    mirrors = answer({})
    train, test = load("fashion-mnist"), load("fashion-mnist", "test")
    assert (len(train), len(test), train.image_shape) == (60_000, 10_000, (1, 28, 28))
    assert train.ids[17] == "fashion-mnist/train/00017"
    assert train.labels is not None
    assert test.labels is not None
    # An ankle boot, two T-shirts, a dress: as in the authors' own pages.
    assert train.labels[:4].tolist() == [9, 0, 0, 3]
    assert train.labels.bincount().tolist() == [6000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert train.class_names[9] == "Ankle boot"
    # The mean that is used everywhere to normalise this data set.
    assert train.images().mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert mirrors.asked == []
    assert not cache.exists()


@needs_debian
def test_real_files_that_are_swapped_or_truncated_are_recognised(
    tmp_path: Path, cache: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer({})
    folder = cache / "mnist"
    folder.mkdir(parents=True)
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        shutil.copy(DEBIAN / name, folder / name)
    with pytest.raises(DataError, match=r"mnist/t10k-images.*which is t10k-images-idx3-ubyte of fashion-mnist"):
        load("mnist", "test")
    own = replace(FASHION_MNIST, system_folder=tmp_path / "system")
    (tmp_path / "system").mkdir()
    content = (DEBIAN / "t10k-images-idx3-ubyte.gz").read_bytes()
    (tmp_path / "system/t10k-images-idx3-ubyte.gz").write_bytes(content[: len(content) // 2])
    shutil.copy(DEBIAN / "t10k-labels-idx1-ubyte.gz", tmp_path / "system")
    with pytest.raises(DataError, match=r"system/t10k-images-idx3-ubyte\.gz cannot be read to its end"):
        load_published_idx(own, "test")
