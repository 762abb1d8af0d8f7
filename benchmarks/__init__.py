"""The measurements that README and records quote: searches, students without data, accuracy against queries, the wire.

They stand outside the package and use it as a user would. Each is a program: `python -m benchmarks.search`, and
likewise `frontier`, `lessons`, `zero_shot` and `wire`.
"""
