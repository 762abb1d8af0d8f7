"""What can be done to an image that leaves it what it is, and which of it a teacher does not mind.

Called by trainings, which show networks other views of the same image, and by the stage that asks.
"""

from db3kd.augmentation.approval import affordable, approve, view_questions
from db3kd.augmentation.transforms import TRANSFORMS, Transform, possible, transform

__all__ = ["TRANSFORMS", "Transform", "affordable", "approve", "possible", "transform", "view_questions"]
