#!/usr/bin/env python3
"""Restores a .nemo archive in NeMo itself (restore_from, strict) and compares NeMo's logits with recorded ones.

    npx nautil encode  --model MODEL.nemo --input texts.txt > ids.jsonl
    npx nautil predict --model MODEL.nemo --input texts.txt --format jsonl > logits.jsonl
    python tools/check-nemo.py MODEL.nemo --ids ids.jsonl --logits logits.jsonl --models DIR

Needs NeMo 1.23 in the Python that runs it. NeMo builds the encoder by its name even when the archive has its
configuration, so the folder of that name must exist in the working folder, which --models sets.
Rows are computed one at a time, without padding. Prints JSON. Exit code 0: restored, and the logits are equal within
--tolerance of the largest; 1: NeMo refused the archive, or gives other logits.
"""
import argparse
import contextlib
import json
import os
import sys


def read_lines(path: str) -> list:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nemo", help="the archive")
    parser.add_argument("--ids", required=True, help="JSON lines with input_ids: what `nautil encode` writes")
    parser.add_argument("--logits", required=True, help="JSON lines with logits: what `nautil predict` writes")
    parser.add_argument("--models", help="folder that holds the pretrained model's folder")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest difference, as a share of the largest logit (1e-4)")
    options = parser.parse_args()

    path = os.path.abspath(options.nemo)
    rows = [line["input_ids"] for line in read_lines(options.ids)]
    recorded = [line["logits"] for line in read_lines(options.logits)]
    if len(rows) != len(recorded) or not rows:
        parser.error(f"{len(rows)} rows of ids and {len(recorded)} of logits: both must come from the same texts")
    if options.models:
        os.chdir(options.models)
    os.environ["HF_HUB_OFFLINE"] = "1"

    # NeMo logs to stdout, where the JSON goes.
    with contextlib.redirect_stdout(sys.stderr):
        import nemo
        import torch
        from nemo.collections.nlp.models.text_classification import TextClassificationModel

        try:
            model = TextClassificationModel.restore_from(path, map_location="cpu", strict=True)
        except Exception as error:  # whatever NeMo raises is the answer
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 1
        model.eval()
        difference = largest = 0.0
        with torch.no_grad():
            for ids, expected in zip(rows, recorded):
                batch = torch.tensor([ids])
                types, mask = torch.zeros_like(batch), torch.ones_like(batch)
                logits = model(input_ids=batch, token_type_ids=types, attention_mask=mask)[0]
                largest = max(largest, logits.abs().max().item())
                difference = max(difference, (logits - torch.tensor(expected)).abs().max().item())
    tokenizer = model.tokenizer
    share = difference / largest if largest > 0 else difference
    report = {
        "nemo_version": nemo.__version__,
        "torch_version": torch.__version__,
        "encoder": type(model.bert_model).__name__,
        "tokenizer": type(getattr(tokenizer, "tokenizer", tokenizer)).__name__,
        "vocab_size": tokenizer.vocab_size,
        "tensors": len(model.state_dict()),
        "rows": len(rows),
        "largest_logit": largest,
        "largest_difference": difference,
        "as_share": share,
    }
    json.dump(report, sys.stdout, indent=2)
    print()
    return 0 if share <= options.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
