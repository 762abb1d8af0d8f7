"""Finding, downloading and checking published files: on a small collection of our own, and on the real files."""

import errno
import gzip
import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from db3kd.data import cifar, load, retrieval, sources
from db3kd.data.idx import load_published_idx
from db3kd.data.published import CIFAR10, FASHION_MNIST, MNIST, Collection
from db3kd.data.retrieval import cache_folder, read_published
from db3kd.errors import DataError, StorageError
from made_files import cifar10_bytes, idx_bytes, made_images, made_labels

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")

CONTENTS = {"images": idx_bytes(made_images(5, (4, 4))), "labels": idx_bytes(made_labels(5))}


def sums(contents: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


class Mirrors:
    """Two mirrors on loopback: they answer from a table, and remember what was asked."""

    def __init__(self, port: int) -> None:
        self.urls = tuple(f"http://127.0.0.1:{port}/{name}/" for name in ("first", "second"))
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.small = Collection(
            name="small",
            train=tuple(CONTENTS),
            test=(),
            sha256=sums(CONTENTS | {f"{name}.gz": packed(content) for name, content in CONTENTS.items()}),
            class_names=tuple("0123456789"),
            mirrors=self.urls,
        )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DB3KD_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(retrieval, "RETRIES", 0)
    return tmp_path / "cache"


@pytest.fixture
def mirrors() -> Iterator[Mirrors]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/")
            known.asked.append(path)
            answer = known.answers.get(path)
            self.send_response(404 if answer is None else 200)
            # Half a file arrives before the line breaks.
            self.send_header("Content-Length", str(len(answer or b"") + 100 * (path in known.broken)))
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the name is the parent's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known = Mirrors(server.server_port)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield known
        finally:
            server.shutdown()


def test_what_is_missing_is_downloaded_once_and_checked(cache: Path, mirrors: Mirrors) -> None:
    mirrors.answers = {f"first/{name}.gz": packed(content) for name, content in CONTENTS.items()}
    assert read_published(mirrors.small, "train") == tuple(CONTENTS.values())
    assert read_published(mirrors.small, "train") == tuple(CONTENTS.values())
    assert mirrors.asked == ["first/images.gz", "first/labels.gz"]
    assert sorted(path.name for path in (cache / "small").iterdir()) == ["images.gz", "labels.gz"]


def test_a_mirror_that_fails_or_lies_is_passed_over(cache: Path, mirrors: Mirrors) -> None:
    mirrors.answers = {
        "first/images.gz": packed(CONTENTS["images"]),
        "second/images.gz": packed(CONTENTS["images"]),
        "first/labels.gz": packed(b"<html>moved</html>"),
        "second/labels.gz": packed(CONTENTS["labels"]),
    }
    mirrors.broken = {"first/images.gz"}
    assert load_published_idx(mirrors.small, "train").ids[4] == "small/train/00004"
    assert len(mirrors.asked) == 4
    assert sorted(path.name for path in (cache / "small").iterdir()) == ["images.gz", "labels.gz"]


def test_a_download_that_fails_is_tried_again(cache: Path, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrors.answers = {f"first/{name}.gz": packed(content) for name, content in CONTENTS.items()}
    mirrors.broken = {"first/labels.gz"}
    monkeypatch.setattr(retrieval, "RETRIES", 1)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: mirrors.broken.clear())
    assert read_published(mirrors.small, "train") == tuple(CONTENTS.values())
    assert mirrors.asked == ["first/images.gz", "first/labels.gz", "first/labels.gz"]


def test_offline_it_says_which_file_to_put_where(cache: Path, mirrors: Mirrors) -> None:
    mirrors.answers = {"first/images.gz": packed(b"another page")}
    with pytest.raises(DataError) as caught:
        read_published(mirrors.small, "train")
    message = str(caught.value)
    for expected in (
        str(cache / "small"),
        "DB3KD_DATA",
        *(f"{mirrors.urls[0]}{name}.gz" for name in CONTENTS),
        *(mirrors.small.sha256[f"{name}.gz"] for name in CONTENTS),
        f"{mirrors.urls[1]}images.gz could not be had (404",
        f"{mirrors.urls[0]}images.gz could not be had (SHA256 hash of downloaded file",
    ):
        assert expected in message
    assert list((cache / "small").iterdir()) == []


def test_the_way_out_of_the_offline_error_works(cache: Path, mirrors: Mirrors) -> None:
    (cache / "small").mkdir(parents=True)
    # One as it is downloaded, one as a browser may have unpacked it.
    (cache / "small/images.gz").write_bytes(gzip.compress(CONTENTS["images"]))
    (cache / "small/labels").write_bytes(CONTENTS["labels"])
    assert read_published(mirrors.small, "train") == tuple(CONTENTS.values())
    (cache / "small/images.gz").write_bytes(CONTENTS["images"])
    assert read_published(mirrors.small, "train") == tuple(CONTENTS.values())
    assert mirrors.asked == []


@pytest.mark.parametrize("source", ["mnist", "cifar10"])
def test_a_named_data_set_offline_names_its_files(
    cache: Path, mirrors: Mirrors, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MNIST", replace(MNIST, mirrors=mirrors.urls))
    monkeypatch.setattr(cifar, "CIFAR10", replace(CIFAR10, mirrors=mirrors.urls))
    with pytest.raises(DataError, match="is not on this machine and could not be downloaded") as caught:
        load(source)
    assert str(cache / source) in str(caught.value)
    named = [MNIST.sha256[f"{name}.gz"] for name in MNIST.train] + [CIFAR10.sha256[CIFAR10.archive]]
    assert all(sha256 in str(caught.value) for sha256 in (named[:-1] if source == "mnist" else named[-1:]))


def test_a_wrong_file_in_the_cache_is_refused_and_kept(cache: Path, mirrors: Mirrors) -> None:
    (cache / "small").mkdir(parents=True)
    for name in CONTENTS:
        (cache / f"small/{name}.gz").write_bytes(gzip.compress(CONTENTS["labels"]))
    with pytest.raises(DataError, match=r"small/images\.gz is not images as it was published.*move it away"):
        read_published(mirrors.small, "train")
    assert (cache / "small/images.gz").is_file()
    assert mirrors.asked == []


def test_a_cache_that_cannot_be_written_is_told_so(cache: Path, mirrors: Mirrors) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"cannot be written.*DB3KD_DATA"):
        read_published(mirrors.small, "train")


def test_a_full_disk_is_told_and_leaves_nothing(cache: Path, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(self: object, url: str, output_file: str, *rest: object, **options: object) -> None:
        Path(output_file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", write_half)
    with pytest.raises(StorageError, match=r"images\.gz cannot be written.*No space left"):
        read_published(mirrors.small, "train")
    assert list((cache / "small").iterdir()) == []


def test_a_server_that_does_not_answer_is_a_data_error(cache: Path, mirrors: Mirrors) -> None:
    # Port 9 of this machine: nobody listens there, and the refusal is immediate.
    with pytest.raises(DataError, match="could not be had"):
        read_published(replace(mirrors.small, mirrors=("http://127.0.0.1:9/",)), "train")


def test_the_cache_folder_is_the_platforms_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DB3KD_DATA", raising=False)
    assert cache_folder().name == "db3kd"
    monkeypatch.setenv("DB3KD_DATA", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"


@pytest.fixture
def small_cifar10(mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    contents = {
        f"data_batch_{number}.bin": cifar10_bytes(made_images(4, (3, 32, 32), seed=number), made_labels(4))
        for number in (1, 2)
    }
    sha256 = sums(contents | {CIFAR10.archive: archived(contents)})
    small = replace(CIFAR10, train=tuple(contents), sha256=sha256, mirrors=mirrors.urls)
    monkeypatch.setattr(cifar, "CIFAR10", small)
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
    cache: Path, mirrors: Mirrors, small_cifar10: dict[str, bytes]
) -> None:
    mirrors.answers = {"first/cifar-10-binary.tar.gz": archived(small_cifar10)}
    downloaded = load("cifar10")
    assert downloaded.ids[7] == "cifar10/train/00007"
    assert load("cifar10").digest == downloaded.digest
    assert len(mirrors.asked) == 1
    assert [path.name for path in (cache / "cifar10").iterdir()] == ["cifar-10-binary.tar.gz"]


def test_cifar10_is_read_from_an_unpacked_archive(
    cache: Path, mirrors: Mirrors, small_cifar10: dict[str, bytes]
) -> None:
    mirrors.answers = {"first/cifar-10-binary.tar.gz": archived(small_cifar10)}
    downloaded = load("cifar10")
    (cache / "cifar10/cifar-10-binary.tar.gz").unlink()
    mirrors.answers = {}
    folder = cache / "cifar10/cifar-10-batches-bin"
    folder.mkdir()
    for name, content in small_cifar10.items():
        (folder / name).write_bytes(content)
    assert load("cifar10").digest == downloaded.digest
    (folder / "data_batch_2.bin").write_bytes(small_cifar10["data_batch_1.bin"])
    with pytest.raises(DataError, match=r"data_batch_2\.bin is not data_batch_2\.bin as it was published"):
        load("cifar10")


def test_a_broken_archive_is_named_and_refused(cache: Path, mirrors: Mirrors, small_cifar10: dict[str, bytes]) -> None:
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
def test_real_files_that_are_swapped_or_truncated_are_recognised(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
