"""Images out of other images, and out of nothing: what to ask a teacher about beside the images at hand."""

from db3kd.synthesis.mixing import mixtures

__all__ = ["mixtures"]
