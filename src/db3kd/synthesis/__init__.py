"""Images out of other images, and out of nothing: what to ask a teacher about beside the images at hand."""

from db3kd.synthesis.mixing import mixtures
from db3kd.synthesis.noise import NoiseOptions, choose_of_each, draw_noise
from db3kd.synthesis.repulsion import Repelled, Repulsion, repel

__all__ = ["NoiseOptions", "Repelled", "Repulsion", "choose_of_each", "draw_noise", "mixtures", "repel"]
