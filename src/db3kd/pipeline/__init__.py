"""The story, stage by stage and resumable: ask, learn, measure, teach, conclude.

`tell` puts the stages in order, `settling` chooses what a user left open, and each stage is a file.
"""
