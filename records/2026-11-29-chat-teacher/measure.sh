#!/bin/sh
# 1,000 questions about real digits to LiteLLM's proxy, whole and with a kill in between: sh measure.sh FOLDER
# From the root of the repository, with db3kd and scikit-learn installed, or PYTHONPATH=src.
set -e
here=$(dirname "$0") out=$1
mkdir -p "$out/whole" "$out/killed"
python - "$out" <<'PYTHON'
import sys

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
pixels = (digits.images[:1000] / 16 * 255).round().astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
np.savez(f"{sys.argv[1]}/digits.npz", images=pixels, labels=digits.target[:1000])
PYTHON
PYTHONPATH=tests:$PYTHONPATH python tests/chat_proxy.py "$out/whole" sh "$here/ask.sh" "$out" whole
PYTHONPATH=tests:$PYTHONPATH python tests/chat_proxy.py "$out/killed" sh "$here/ask.sh" "$out" killed
