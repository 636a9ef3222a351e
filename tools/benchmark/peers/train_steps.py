"""Times training steps on batches of one shape. In bfloat16 it tries autocast and bfloat16 weights, and reports the faster."""

import argparse
import time

import torch

from common import Training, load_model, set_threads
from result import report

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--rows", type=int, default=32)
parser.add_argument("--length", type=int, default=32)
parser.add_argument("--steps", type=int, default=12)
parser.add_argument("--warm-up", type=int, default=3)
parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--threads", type=int, required=True)
o = parser.parse_args()
set_threads(o.threads)
torch.manual_seed(1)

formats = ["float32"] if o.precision == "float32" else ["bfloat16-autocast", "bfloat16-weights"]
times = {}
for number_format in formats:
    training = Training(load_model(o.model), number_format)
    vocabulary = training.model.config.vocab_size
    times[number_format] = []
    for step in range(o.warm_up + o.steps):
        ids = torch.randint(0, vocabulary, (o.rows, o.length))
        labels = torch.randint(0, 2, (o.rows,))
        started = time.perf_counter()
        training.step(ids, torch.ones_like(ids), labels)
        if step >= o.warm_up:
            times[number_format].append(1000 * (time.perf_counter() - started))
    del training
fastest = min(formats, key=lambda number_format: min(times[number_format]))
report({"step": times[fastest]}, [f"{fastest}, which was the faster"] if len(formats) > 1 else [])
