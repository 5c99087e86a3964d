"""How long a list of many rows takes to be read: `python -m tests.bench.rows [--rows N]`.

Beside it, in the same run, Python's own csv reader over the same text.
"""

from __future__ import annotations

import argparse
import csv
from io import StringIO
from time import perf_counter

from flows.shots import read_shots


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    count = parser.parse_args().rows
    rows = (f"A wave {i},{96 + i % 97},{i},s{i},q{i // 1000}" for i in range(count))
    text = "prompt,num_frames,seed,shot,sequence\n" + "\n".join(rows)
    begun = perf_counter()
    read = len(list(csv.DictReader(StringIO(text))))
    plain_s, begun = perf_counter() - begun, perf_counter()
    assert len(read_shots(text)) == read == count
    print(f"{count} rows: {perf_counter() - begun:.2f} s; csv.DictReader alone {plain_s:.2f} s")


if __name__ == "__main__":
    main()
