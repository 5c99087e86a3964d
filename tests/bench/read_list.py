"""What reading a long shot list costs: seconds of this process's CPU, and its memory.

python tests/bench/read_list.py [--rows 100000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from flows.shots import read_shots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=100_000)
    num_rows = parser.parse_args().rows
    rows = (f"A wave {i},{96 + i % 97},{i},s{i},q{i // 1000}" for i in range(num_rows))
    text = "prompt,num_frames,seed,shot,sequence\n" + "\n".join(rows)
    begun = time.process_time()
    shots = read_shots(text)
    took_s = time.process_time() - begun
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(shots):,} rows: {took_s:.2f} s of CPU, {memory_mb:.0f} MB at most")


if __name__ == "__main__":
    main()
