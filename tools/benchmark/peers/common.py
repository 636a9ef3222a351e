"""What the PyTorch scripts share: the model, batches grouped by length, and the steps."""

import random

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

WINDOW_BATCHES = 50  # batches whose rows are sorted by length together, as in transformers' LengthGroupedSampler


def set_threads(threads):
    torch.set_num_threads(threads)


def load_model(source, dtype=torch.float32):
    """Pretrained weights from a folder, or random ones from a config.json. The head is random in both cases."""
    if source.endswith(".json"):
        model = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(source, num_labels=2))
    else:
        model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=2)
    return model.to(dtype)


def load_tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


def tokenize(tokenizer, texts, max_length=64):
    return tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]


def batches_by_length(lengths, batch_size, seed):
    """Indexes of the rows of each batch of a shuffled epoch: windows are sorted by length, and batches shuffled again."""
    generator = random.Random(seed)
    order = list(range(len(lengths)))
    generator.shuffle(order)
    window = WINDOW_BATCHES * batch_size
    batches = []
    for start in range(0, len(order), window):
        rows = sorted(order[start : start + window], key=lambda row: lengths[row])
        part = [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
        generator.shuffle(part)
        batches.extend(part)
    return batches


def padded(rows, pad_id):
    """Token ids and attention mask, padded to the longest row."""
    length = max(len(row) for row in rows)
    ids = torch.tensor([row + [pad_id] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return ids, mask


class Training:
    """Fine-tuning with fused AdamW, in one of three number formats."""

    def __init__(self, model, number_format, learning_rate=1e-4):
        if number_format == "bfloat16-weights":
            model = model.to(torch.bfloat16)
        self.model = model.train()
        self.autocast = number_format == "bfloat16-autocast"
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01, fused=True)

    def step(self, ids, mask, labels):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
            loss = self.model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


def logits_of(model, rows, pad_id, batch_size=32, autocast=False):
    """Logits of rows in order of length, in batches; the result is in the order of the rows."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    logits = [None] * len(rows)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        for at in range(0, len(order), batch_size):
            part = order[at : at + batch_size]
            ids, mask = padded([rows[row] for row in part], pad_id)
            for row, values in zip(part, model(input_ids=ids, attention_mask=mask).logits.float()):
                logits[row] = values
    return torch.stack(logits)


def accuracy_of(model, rows, labels, pad_id, autocast=False):
    logits = logits_of(model, rows, pad_id, autocast=autocast)
    return (logits.argmax(-1) == torch.tensor(labels)).double().mean().item()
