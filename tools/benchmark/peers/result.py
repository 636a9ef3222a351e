"""The sentences and the result line, without PyTorch, whose memory would count."""

import json
import resource


def report(figures, notes=()):
    """Prints the result, which the benchmark reads from the last line."""
    print(json.dumps({"figures": figures, "notes": list(notes)}), flush=True)


def peak_megabytes():
    """The largest resident size of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def read_tsv(path):
    """Sentences and labels of a GLUE file, which has a header."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").rsplit("\t", 1) for line in file][1:]
    return [text for text, _ in rows], [int(label) for _, label in rows]
