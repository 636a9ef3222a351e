"""Times an epoch of MiniLM-L6 on SST-2 from its first step to its last, and evaluates the weights on the test sentences."""

import argparse
import copy
import os
import subprocess
import sys
import time

import torch

from common import Training, accuracy_of, batches_by_length, load_model, load_tokenizer, padded, set_threads, tokenize
from result import peak_megabytes, read_tsv, report

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True, help="a folder with SST-2 as in GLUE")
parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--batches", type=int, help="only the first batches of the epoch")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--probe", action="store_true", help="print the faster bfloat16 format and end")
o = parser.parse_args()
set_threads(o.threads)
torch.manual_seed(o.seed)

tokenizer = load_tokenizer(o.model)
texts, labels = read_tsv(os.path.join(o.data, "train.tsv"))
rows = tokenize(tokenizer, texts)
batches = batches_by_length([len(row) for row in rows], 32, o.seed)[: o.batches]
model = load_model(o.model)


def step(training, batch):
    ids, mask = padded([rows[row] for row in batch], tokenizer.pad_token_id)
    training.step(ids, mask, torch.tensor([labels[row] for row in batch]))


def print_fastest_format():
    """Prints the faster of autocast and bfloat16 weights on a few batches."""
    times = {}
    for name in ["bfloat16-autocast", "bfloat16-weights"]:
        training = Training(copy.deepcopy(model), name)
        for batch in batches[:2]:
            step(training, batch)
        started = time.perf_counter()
        for batch in batches[2:6]:
            step(training, batch)
        times[name] = time.perf_counter() - started
    print(min(times, key=times.get))


if o.probe:
    print_fastest_format()
    sys.exit()

number_format = "float32"
if o.precision == "bfloat16":
    # In a process of its own, which leaves no mark on the peak memory of this one.
    probe = subprocess.run([sys.executable, *sys.argv, "--probe"], check=True, capture_output=True, text=True)
    number_format = probe.stdout.split()[-1]
training = Training(model, number_format)
started = time.perf_counter()
for batch in batches:
    step(training, batch)
epoch = time.perf_counter() - started
peak = peak_megabytes()

test_texts, test_labels = read_tsv(os.path.join(o.data, "test.tsv"))
accuracy = accuracy_of(
    model, tokenize(tokenizer, test_texts), test_labels, tokenizer.pad_token_id, autocast=training.autocast
)
notes = [] if o.precision == "float32" else [f"{number_format}, which was the faster on the first batches"]
report({"epoch": [epoch], "peak": [peak], "accuracy": [accuracy]}, notes)
