"""The work of `nautil train` as a script: tokenise SST-2, train MiniLM-L6 for an epoch, evaluate on dev and test, save the model."""

import argparse
import os
import tempfile

import torch

from common import Training, accuracy_of, batches_by_length, load_model, load_tokenizer, padded, set_threads, tokenize
from result import read_tsv, report

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True, help="a folder with SST-2 as in GLUE")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--batches", type=int, help="only the first batches of the epoch")
o = parser.parse_args()
set_threads(o.threads)
torch.manual_seed(1)

tokenizer = load_tokenizer(o.model)
splits = {}
for split in ["train", "dev", "test"]:
    texts, labels = read_tsv(os.path.join(o.data, f"{split}.tsv"))
    splits[split] = tokenize(tokenizer, texts), labels

rows, labels = splits["train"]
training = Training(load_model(o.model), "float32")
for batch in batches_by_length([len(row) for row in rows], 32, 1)[: o.batches]:
    ids, mask = padded([rows[row] for row in batch], tokenizer.pad_token_id)
    training.step(ids, mask, torch.tensor([labels[row] for row in batch]))

accuracies = [accuracy_of(training.model, *splits[split], tokenizer.pad_token_id) for split in ["dev", "test"]]
with tempfile.TemporaryDirectory() as folder:
    training.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
report({"accuracy": accuracies})
