"""Times reading and tokenising the lines of a TSV file with the Rust tokenizers, in chunks, into a file of token ids."""

import argparse
import array
import os
import tempfile
import time
from itertools import islice

from tokenizers import Tokenizer

from result import peak_megabytes, read_tsv, report


def write_lines(path, texts, labels, count):
    """Writes the lines of writeLines in src/ours/token-files.ts: hardly a text occurs twice."""
    with open(path, "w", encoding="utf-8") as file:
        for line in range(count):
            at, step = line % len(texts), line // len(texts)
            other = (at + step) % len(texts)
            first, second = texts[at].split(" "), texts[other].split(" ")
            words = first[: len(first) // 2] + second[len(second) // 2 :]
            # A text of one word has an empty first half.
            start = "" if len(first) > 1 else " "
            file.write(f"{start}{' '.join(words)}\t{labels[other]}\n")


parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True, help="a folder with SST-2 as in GLUE")
parser.add_argument("--lines", type=int, default=1_000_000)
parser.add_argument("--threads", required=True)
o = parser.parse_args()
os.environ["RAYON_NUM_THREADS"] = o.threads
os.environ["TOKENIZERS_PARALLELISM"] = "true"

tokenizer = Tokenizer.from_file(os.path.join(o.model, "tokenizer.json"))
tokenizer.enable_truncation(64)
tokenizer.no_padding()
texts, labels = read_tsv(os.path.join(o.data, "train.tsv"))
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "lines.tsv")
    write_lines(path, texts, labels, o.lines)
    started = time.perf_counter()
    with open(path, encoding="utf-8") as file, open(os.path.join(folder, "lines.ids"), "wb") as out:
        while chunk := [line.rstrip("\n").rsplit("\t", 1)[0] for line in islice(file, 5000)]:
            for encoding in tokenizer.encode_batch_fast(chunk):
                array.array("H", encoding.ids).tofile(out)
    seconds = time.perf_counter() - started
report({"tokenize": [seconds], "peak": [peak_megabytes()]})
