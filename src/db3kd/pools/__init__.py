"""Where unlabelled images come from: images at hand, procedural priors, mixtures, noise, and children of answers.

What a pool offers costs no query. Two makers need a teacher's answers: boundary pairs propose and observe, and
repulsion asks through the oracle that it is given. What to ask about is chosen in `db3kd.acquisition`.
"""

from db3kd.pools.images import ImagePool
from db3kd.pools.joined import Joined
from db3kd.pools.mixtures import mixtures
from db3kd.pools.noise import NoiseOptions, choose_of_each, draw_noise
from db3kd.pools.pairs import BoundaryPairs
from db3kd.pools.pool import Key, Pool
from db3kd.pools.priors import Priors, Surrogates
from db3kd.pools.pushing import push, push_some
from db3kd.pools.repulsion import Repelled, Repulsion, repel
from db3kd.pools.supply import supply

__all__ = [
    "BoundaryPairs",
    "ImagePool",
    "Joined",
    "Key",
    "NoiseOptions",
    "Pool",
    "Priors",
    "Repelled",
    "Repulsion",
    "Surrogates",
    "choose_of_each",
    "draw_noise",
    "mixtures",
    "push",
    "push_some",
    "repel",
    "supply",
]
