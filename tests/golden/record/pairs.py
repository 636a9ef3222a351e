"""Records what transformers computes for pairs of texts, with the encoders of a golden set: ids, token types, vectors, losses.

    python pairs.py GOLDEN        writes GOLDEN/pairs.json

Needs transformers 5, as families.py does.
"""
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from families import TEXTS, train_losses
from writing import rounded, write_json

MAX_LENGTH = 32


def beginning(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


# Short ones, which are padded; long first and second texts, so that either or both are truncated; and empty ones.
PAIRS = [*((beginning(first, 1 + row % 3), beginning(second, 1 + row % 2)) for row, (first, second) in enumerate(zip(TEXTS, TEXTS[12:24]))),
         *zip(TEXTS[0:6], TEXTS[12:18]), (beginning(TEXTS[1], 2), ""), ("", TEXTS[2]), (" ".join(TEXTS[3:6]), beginning(TEXTS[4], 2)),
         (beginning(TEXTS[4], 2), " ".join(TEXTS[3:6])), (" ".join(TEXTS[6:9]), " ".join(TEXTS[9:12]))]


def encoder_folders(golden: pathlib.Path) -> dict:
    older = {name: golden / name for name in ("bert-tiny-uncased", "roberta-tiny", "distilbert-tiny", "megatron-bert-tiny")}
    return older | {f"encoders/{folder.name}": folder for folder in sorted((golden / "encoders").iterdir())}


def record(folder: pathlib.Path) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    has_segments = (getattr(model.config, "type_vocab_size", None) or 0) > 1

    # As a batch: a single call takes an empty second text for none.
    encoded = tokenizer(*map(list, zip(*PAIRS)), max_length=MAX_LENGTH, truncation="longest_first", return_token_type_ids=True)
    rows = [{key: encoded[key][row] for key in ("input_ids", "attention_mask", "token_type_ids")} for row in range(len(PAIRS))]
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(key: str, value: int) -> torch.Tensor:
        return torch.tensor([row[key] + [value] * (longest - len(row[key])) for row in rows])

    def inputs_of(ids, mask, types) -> dict:
        return {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if has_segments else {})

    batch = [padded("input_ids", tokenizer.pad_token_id), padded("attention_mask", 0), padded("token_type_ids", 0)]
    with torch.no_grad():
        alone = [model(**inputs_of(*(torch.tensor([row[key]]) for key in ("input_ids", "attention_mask", "token_type_ids"))))
                 .last_hidden_state[0, 0] for row in rows]
        together = model(**inputs_of(*batch)).last_hidden_state[:, 0]
    recorded = {
        "has_segments": has_segments,
        "rows": [{"input_ids": row["input_ids"], "token_type_ids": row["token_type_ids"], "first": vector.tolist()}
                 for row, vector in zip(rows, alone)],
        "batched_first": together.tolist(),
    }
    if (folder / "head.safetensors").exists():
        hidden = alone[0].numel()
        weights = load_file(folder / "head.safetensors")
        head = torch.nn.ModuleDict({"layer0": torch.nn.Linear(hidden, hidden),
                                    "layer2": torch.nn.Linear(hidden, len(weights["layer2.bias"]))})
        head.load_state_dict(weights)
        recorded["losses"] = train_losses(without_dropout(model), head, batch[0], batch[1], batch[2] if has_segments else None)
    return recorded


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


if __name__ == "__main__":
    golden = pathlib.Path(sys.argv[1])
    write_json(golden / "pairs.json", rounded({
        "transformers": transformers.__version__, "torch": torch.__version__, "max_length": MAX_LENGTH,
        "pairs": PAIRS,
        "encoders": {name: record(folder) for name, folder in encoder_folders(golden).items()}}))
