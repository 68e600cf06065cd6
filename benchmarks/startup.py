"""What starting costs: imports of the packages and helps of the command, beside `import torch`.

    .venv/bin/python benchmarks/startup.py [--runs 5]

Each line is the median of several fresh interpreters, all kinds in turn so that a busy machine
slows them alike: CPU seconds (user and system) and seconds on the clock, and what is more than
`import torch` in the same run.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = ("train", "sweep", "compare", "report", "figure", "verify", "count", "certify", "export")
IMPORTS = {
    "import torch": "import torch",
    "import constructions": "import constructions",
    "import training": "import training",
    "import analysis": "import analysis",
    "constructions.f_S": "from constructions import f_S",
    "training.TrainingConfig": "from training import TrainingConfig; TrainingConfig()",
    "training.train": "from training import train",
    "analysis.certify": "from analysis import certify",
    "analysis.study": "from analysis import study",
}


def measured(arguments):
    """CPU seconds and seconds of one fresh interpreter."""
    before, start = os.times(), time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="interpreters of each kind (5)")
    runs = parser.parse_args().runs
    kinds = {name: ["-c", code] for name, code in IMPORTS.items()}
    kinds["cgro --help"] = ["-m", "analysis", "--help"]
    kinds |= {f"cgro {name} --help": ["-m", "analysis", name, "--help"] for name in COMMANDS}
    found = {name: [] for name in kinds}
    for _ in range(runs):
        for name, arguments in kinds.items():
            found[name].append(measured(arguments))
    middle = {
        name: [statistics.median(v) for v in zip(*rows, strict=True)]
        for name, rows in found.items()
    }
    cpu, clock = middle["import torch"]
    print(f"medians of {runs}; import torch: {cpu:.2f} s CPU, {clock:.2f} s")
    print(
        f"{'':24} {'CPU s':>7} {'- torch':>8} {'/ torch':>8} {'s':>7} {'- torch':>8} {'/ torch':>8}"
    )
    for name, (used, seconds) in middle.items():
        row = (used, used - cpu, used / cpu, seconds, seconds - clock, seconds / clock)
        print(
            f"{name:24} " + " ".join(f"{v:{w}.2f}" for v, w in zip(row, (7, 8, 8) * 2, strict=True))
        )


if __name__ == "__main__":
    main()
