"""Times an epoch of MiniLM-L6 on SST-2 from its first step to its last, and evaluates the weights on the test sentences."""

import argparse
import copy
import os
import time

import torch

from common import (
    Training,
    accuracy_of,
    batches_by_length,
    load_model,
    load_tokenizer,
    padded,
    peak_megabytes,
    read_tsv,
    report,
    set_threads,
    tokenize,
)

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True, help="a folder with SST-2 as in GLUE")
parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--batches", type=int, help="only the first batches of the epoch")
parser.add_argument("--seed", type=int, default=1)
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


def fastest_format():
    """The faster of autocast and bfloat16 weights on a few batches. Runs in a child, which leaves no mark on the peak memory."""
    times = {}
    for name in ["bfloat16-autocast", "bfloat16-weights"]:
        training = Training(copy.deepcopy(model), name)
        for batch in batches[:2]:
            step(training, batch)
        started = time.perf_counter()
        for batch in batches[2:6]:
            step(training, batch)
        times[name] = time.perf_counter() - started
    return min(times, key=times.get)


def in_child(work):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, work().encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    return os.read(reader, 100).decode()


number_format = "float32" if o.precision == "float32" else in_child(fastest_format)
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
