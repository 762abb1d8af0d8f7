"""What was bought, in one piece: images, decisions and distances that are never apart.

Softening rule and temperature are no part of it: they belong to training and can be changed without a query.
A transfer set turns into safetensors bytes and back; the run writes them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Float, Int, Tensor

_KIND = "db3kd-transfer-1"
_SNAPSHOT = "snapshots."
OWN_CLASS = -1


@dataclass(frozen=True, eq=False)
class TransferSet:
    """Images with what the teacher was asked about them.

    Args:
        images: the images with their ids and, where they are known, true labels.
        decisions: the teacher's class of each image.
        distances: L2 in input units to each class's side of the boundary; inf where nothing was found and
            for the own class.
        queries: what each distance cost.
        outcomes: an `Outcome` per distance, -1 for the own class.
        snapshots: distances as they were when a pair had spent so many queries.
        provenance: how they came about: method, teacher's fingerprint, settings.
    """

    images: Dataset
    decisions: Int[Tensor, " n"]
    distances: Float[Tensor, "n num_classes"]
    queries: Int[Tensor, "n num_classes"]
    outcomes: Int[Tensor, "n num_classes"]
    snapshots: Mapping[int, Float[Tensor, "n num_classes"]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def num_classes(self) -> int:
        """Number of classes that the teacher knows."""
        return self.distances.shape[1]

    def at(self, queries_per_pair: int) -> "TransferSet":
        """Take the distances as they were at a snapshot.

        Args:
            queries_per_pair: one of the query counts that were kept.

        Returns:
            The same images with the distances of that moment; their cost is capped accordingly, and the outcomes are
            those of the end.

        Raises:
            InputError: no such snapshot.
        """
        if queries_per_pair not in self.snapshots:
            kept = ", ".join(map(str, sorted(self.snapshots))) or "none"
            raise InputError(
                f"no snapshot at {queries_per_pair} queries a pair in this transfer set; it holds {kept}: choose one "
                "of them or label again with it among the snapshots"
            )
        return replace(
            self,
            distances=self.snapshots[queries_per_pair],
            queries=self.queries.clamp(max=queries_per_pair),
            snapshots={},
        )

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {
            "decisions": self.decisions,
            "distances": self.distances,
            "queries": self.queries,
            "outcomes": self.outcomes,
        }
        return tensors | {f"{_SNAPSHOT}{count}": distances for count, distances in self.snapshots.items()}

    def to_bytes(self) -> bytes:
        """Turn into a safetensors file, with ids, names, provenance and digest in its header."""
        tensors = self._tensors() | {"pixels": self.images.pixels}
        if self.images.labels is not None:
            tensors["true_labels"] = self.images.labels
        about = {
            "name": self.images.name,
            "ids": json.dumps(self.images.ids),
            "class_names": json.dumps(self.images.class_names),
            "provenance": json.dumps(dict(self.provenance), sort_keys=True),
        }
        return pack(tensors, about, kind=_KIND)


def transfer_from_bytes(data: bytes, origin: str) -> TransferSet:
    """Read a transfer set.

    Args:
        data: what `TransferSet.to_bytes` gave.
        origin: the file's name, for the error.

    Returns:
        The transfer set.

    Raises:
        ArtifactError: the bytes are no transfer set, of another format version, truncated or edited.
    """
    way_out = "delete it and run again, which puts it together from the finished shards at no query"
    tensors, about = unpack(data, kind=_KIND, origin=origin, way_out=way_out)
    images = Dataset(
        about["name"],
        tuple(json.loads(about["ids"])),
        tensors["pixels"],
        tensors.get("true_labels"),
        tuple(json.loads(about["class_names"])),
    )
    snapshots = {
        int(name.removeprefix(_SNAPSHOT)): value for name, value in tensors.items() if name.startswith(_SNAPSHOT)
    }
    return TransferSet(
        images,
        tensors["decisions"],
        tensors["distances"],
        tensors["queries"],
        tensors["outcomes"],
        snapshots=dict(sorted(snapshots.items())),
        provenance=json.loads(about["provenance"]),
    )
