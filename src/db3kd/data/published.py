"""Which files the named data sets consist of, where they are published, and what must be in them.

Facts only: `db3kd.data.retrieval` finds, downloads and checks the files, and the modules of the formats read them.
A file is known by the sha256 of its decompressed bytes, since a distribution may compress it anew (Debian does).

Source: the sums of MNIST and Fashion-MNIST are those of the files behind the archives whose sums TensorFlow Datasets
(MNIST) and the authors (Fashion-MNIST) publish; those of CIFAR-10's archive and files are the ones that
TensorFlow Datasets and TorchVision for Ruby publish.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PublishedFile:
    """One file as its authors published it.

    Args:
        name: of the file once decompressed.
        size: in bytes, decompressed.
        sha256: of the decompressed bytes, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Collection:
    """The published files of one data set.

    Args:
        name: of the data set, and of its folder in the cache.
        train: files of the training split, in the order in which they are read.
        test: files of the test split.
        class_names: as the authors call them.
        mirrors: addresses of folders that hold the downloads, the preferred one first.
        archive: the one download that holds all files, or None where each is a download of its own (NAME.gz).
        archive_folder: the folder that unpacking the archive makes.
        system_folder: where a distribution's package puts the files, or None.
        package: the name of that package.
    """

    name: str
    train: tuple[PublishedFile, ...]
    test: tuple[PublishedFile, ...]
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    archive: PublishedFile | None = None
    archive_folder: str = ""
    system_folder: Path | None = None
    package: str = ""


DIGITS = tuple("0123456789")

MNIST = Collection(
    name="mnist",
    train=(
        PublishedFile(
            "train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        PublishedFile(
            "train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
    ),
    test=(
        PublishedFile(
            "t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    ),
    class_names=DIGITS,
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)

FASHION_MNIST = Collection(
    name="fashion-mnist",
    train=(
        PublishedFile(
            "train-images-idx3-ubyte", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        PublishedFile(
            "train-labels-idx1-ubyte", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
    ),
    test=(
        PublishedFile(
            "t10k-images-idx3-ubyte", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    ),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    # The authors' own bucket speaks no https; their repository does.
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    system_folder=Path("/usr/share/datasets/fashion-mnist"),
    package="dataset-fashion-mnist",
)

CIFAR10 = Collection(
    name="cifar10",
    train=(
        PublishedFile(
            "data_batch_1.bin", 30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
        ),
        PublishedFile(
            "data_batch_2.bin", 30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
        ),
        PublishedFile(
            "data_batch_3.bin", 30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
        ),
        PublishedFile(
            "data_batch_4.bin", 30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
        ),
        PublishedFile(
            "data_batch_5.bin", 30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
        ),
    ),
    test=(
        PublishedFile("test_batch.bin", 30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    ),
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archive=PublishedFile(
        "cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    ),
    archive_folder="cifar-10-batches-bin",
)


def known_as(sha256: str) -> str | None:
    """Recognise a file by its content, to tell a swapped one from a broken one.

    Args:
        sha256: of its decompressed bytes.

    Returns:
        The data set and the name under which the content is published, or None.
    """
    for collection in (MNIST, FASHION_MNIST, CIFAR10):
        for file in (*collection.train, *collection.test):
            if file.sha256 == sha256:
                return f"{file.name} of {collection.name}"
    return None
