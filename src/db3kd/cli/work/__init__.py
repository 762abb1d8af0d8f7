"""What the commands do, once their arguments are read.

The modules beside `app` read arguments and import one of these when the command runs, since these import torch, which
takes seconds that `db3kd --help` need not wait for. Figures go to stdout, all else to stderr.
"""
