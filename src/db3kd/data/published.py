"""Which files the named data sets consist of, where they are published, and what must be in them.

Facts only: `retrieval` finds, downloads and checks the files, and the modules of the formats read them. A file is known
by the sha256 of its decompressed bytes, since a distribution may compress it anew (Debian does).

Source: the sums of MNIST and Fashion-MNIST are those of the files behind the archives whose sums TensorFlow Datasets
(MNIST) and the authors (Fashion-MNIST) publish; those of CIFAR-10's archive and files are the ones that
TensorFlow Datasets and TorchVision for Ruby publish.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


# `sha256` holds the sums of the decompressed files and those of what is downloaded: NAME.gz for each, or one `archive`,
# in which they lie in `archive_folder`. `system_folder` is where the package of a distribution puts them.
@dataclass(frozen=True)
class Collection:
    """The published files of one data set; the preferred one of its mirrors comes first."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    sha256: Mapping[str, str]
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    archive: str = ""
    archive_folder: str = ""
    system_folder: Path | None = None
    package: str = ""


DIGITS = tuple("0123456789")
_GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_IDX_TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_IDX_TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

MNIST = Collection(
    name="mnist",
    train=_IDX_TRAIN,
    test=_IDX_TEST,
    sha256={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    class_names=DIGITS,
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)

FASHION_MNIST = Collection(
    name="fashion-mnist",
    train=_IDX_TRAIN,
    test=_IDX_TEST,
    sha256={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
    class_names=_GARMENTS,
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
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    sha256={
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    },
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archive="cifar-10-binary.tar.gz",
    archive_folder="cifar-10-batches-bin",
)


def known_as(sha256: str) -> str | None:
    """Recognise a published file by its sha256: "NAME of COLLECTION"."""
    for collection in (MNIST, FASHION_MNIST, CIFAR10):
        for name, known in collection.sha256.items():
            if known == sha256:
                return f"{name} of {collection.name}"
    return None
