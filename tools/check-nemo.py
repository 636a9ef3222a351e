#!/usr/bin/env python3
"""Opens a .nemo archive in real NeMo (restore_from, strict) and prints the logits of given token ids as JSON.

    python tools/check-nemo.py MODEL.nemo --ids '[[101, 2023, 102]]' [--models DIR]
    python tools/check-nemo.py MODEL.nemo --rows rows.json      # {"rows": [{"input_ids": [...]}, ...]}

Needs NeMo 1.23 in the Python that runs it. NeMo builds the encoder by its name even when the archive has its
configuration, so the folder that the name leads to must exist: --models is made the working folder, and holds it.
Rows are computed one at a time, without padding. Exit code 0: restored; 1: NeMo refused the archive.
"""
import argparse
import contextlib
import json
import os
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nemo", help="the archive")
    parser.add_argument("--ids", help="JSON list of lists of token ids")
    parser.add_argument("--rows", help="JSON file with rows[].input_ids")
    parser.add_argument("--models", help="folder that holds the pretrained model's folder")
    options = parser.parse_args()

    path = os.path.abspath(options.nemo)
    rows = json.loads(options.ids) if options.ids else []
    if options.rows:
        with open(options.rows, encoding="utf-8") as file:
            rows += [row["input_ids"] for row in json.load(file)["rows"]]
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
        logits = []
        with torch.no_grad():
            for ids in rows:
                batch = torch.tensor([ids])
                output = model(input_ids=batch, token_type_ids=torch.zeros_like(batch), attention_mask=torch.ones_like(batch))
                logits.append(output[0].tolist())
    tokenizer = model.tokenizer
    json.dump(
        {
            "nemo_version": nemo.__version__,
            "tokenizer": type(getattr(tokenizer, "tokenizer", tokenizer)).__name__,
            "vocab_size": tokenizer.vocab_size,
            "state_dict": {name: [list(value.shape), str(value.dtype)] for name, value in model.state_dict().items()},
            "logits": logits,
        },
        sys.stdout,
    )
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
