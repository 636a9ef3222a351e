"""Times the training of BERT-base with random weights by transformers' Trainer on a GPU, in bfloat16, after the first steps."""

import argparse
import tempfile
import time

import torch
from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

from common import load_model, tokenize
from result import read_tsv, report

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--tokenizer", required=True)
parser.add_argument("--data", help="a file in GLUE's format")
parser.add_argument("--length", type=int, help="instead of the file's texts, texts of this number of tokens")
parser.add_argument("--rows", type=int, default=32)
parser.add_argument("--steps", type=int, default=250)
parser.add_argument("--warm-up", type=int, default=50)
o = parser.parse_args()
torch.manual_seed(1)

last_step = o.warm_up + o.steps
tokenizer = AutoTokenizer.from_pretrained(o.tokenizer)
if o.length:
    texts = torch.randint(1000, 29000, (o.rows * last_step, o.length)).tolist()
    labels = [row % 2 for row in range(len(texts))]
else:
    sentences, labels = read_tsv(o.data)
    texts = tokenize(tokenizer, sentences, max_length=128)
rows = [
    {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": label} for ids, label in zip(texts, labels)
]


class Clock(TrainerCallback):
    """When the steps ended on the GPU that begin and end the measurement."""

    def __init__(self):
        self.times = []

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step in (o.warm_up, last_step):
            torch.cuda.synchronize()
            self.times.append(time.perf_counter())


clock = Clock()
model = load_model(o.model)
with tempfile.TemporaryDirectory() as folder:
    settings = TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=o.rows,
        max_steps=last_step,
        bf16=True,
        optim="adamw_torch_fused",
        learning_rate=1e-4,
        weight_decay=0.01,
        train_sampling_strategy="random" if o.length else "group_by_length",
        dataloader_num_workers=4,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    collator = DataCollatorWithPadding(tokenizer)
    Trainer(model=model, args=settings, train_dataset=rows, data_collator=collator, callbacks=[clock]).train()
seconds = clock.times[1] - clock.times[0]
report({"rate": [o.steps * o.rows / seconds], "step": [1000 * seconds / o.steps]})
