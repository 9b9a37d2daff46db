"""Makes TensorFlow networks with random weights, one for each line that it reads, and says `made` or `failed` behind each.

A line is `NETWORK FORM FOLDER`. The model goes to `FOLDER/models/NETWORK_FORM`, and what TensorFlow answers to an example to
`FOLDER/NETWORK_FORM.npz`: arrays by the names of inputs (`in:NAME`) and outputs (`out:NAME`).
"""

import os
import sys
import traceback
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
from forms import FORMS
from networks import NETWORKS


def main() -> None:
    built = (None, None)
    for line in sys.stdin:
        name, form, folder = line.rstrip("\n").split(" ", 2)
        try:
            if built[0] != name:
                built = (None, None)
                built = (name, NETWORKS[name]())
            make(f"{name}_{form}", built[1], form, Path(folder))
            print("made", flush=True)
        except Exception:
            traceback.print_exc()
            print("failed", flush=True)


def make(model: str, network, form: str, folder: Path) -> None:
    version = folder / "models" / model / "1"
    version.mkdir(parents=True)
    outputs = FORMS[form](network, version)
    inputs = {f"in:{name}": value for name, value in network.inputs.items()}
    np.savez(folder / f"{model}.npz", **inputs, **{f"out:{name}": value for name, value in outputs.items()})


main()
