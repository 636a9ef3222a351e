"""Records NeMo 1.23's logits for batches whose longest text is no multiple of 8, into nemo/padded_batches.json.

    python nemo_padding.py SET      SET: a recorded set, whose archive nemo/tiny_roberta.nemo is read

NeMo pads only to the longest text, and its RoBERTa attends to that padding, so these logits depend on the batch.
"""
import json
import os
import pathlib
import sys

import pytorch_lightning
import torch
from nemo.collections.nlp.models.text_classification import TextClassificationModel

from writing import rounded, write_json

ROWS_PER_BATCH = 3


@torch.no_grad()
def main() -> None:
    out = pathlib.Path(sys.argv[1]).resolve()
    os.chdir(out)
    name = "tiny_roberta.nemo"
    rows = json.loads((out / f"nemo/{name}.expected.json").read_text(encoding="utf-8"))["rows"]
    trainer = pytorch_lightning.Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False)
    model = TextClassificationModel.restore_from(str(out / "nemo" / name), map_location="cpu", strict=False, trainer=trainer)
    model.eval()
    pad = model.tokenizer.pad_id
    batches = []
    for first in range(0, len(rows) - ROWS_PER_BATCH + 1, ROWS_PER_BATCH):
        ids = [row["input_ids"] for row in rows[first:first + ROWS_PER_BATCH]]
        longest = max(map(len, ids))
        if longest % 8 == 0:
            continue
        # TextClassificationDataset._collate_fn pads ids, segments and mask alike with the pad id.
        padded = lambda of: torch.tensor([values + [pad] * (longest - len(values)) for values in of])
        logits = model(
            input_ids=padded(ids),
            token_type_ids=padded([[0] * len(values) for values in ids]),
            attention_mask=padded([[1] * len(values) for values in ids]),
        )
        batches.append({"input_ids": ids, "logits": rounded(logits.tolist())})
    write_json(out / "nemo/padded_batches.json", {"archive": name, "pad_id": pad, "batches": batches})


main()
