"""Loads folders of `nautil export --format hf` with transformers, and prints what it computes as JSON.

    python load-exported.py < inputs.json

inputs.json is an object from folder to a list of texts, or of pairs of texts.
"""
import json
import logging
import sys
import warnings

import numpy
import onnx
import onnxruntime
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging


class Messages(logging.Handler):
    """Collects the warnings of transformers."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def results_of(folder: str, inputs: list) -> dict:
    handler = Messages()
    logging.getLogger("transformers").addHandler(handler)
    with warnings.catch_warnings(record=True) as caught:
        model, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    logging.getLogger("transformers").removeHandler(handler)
    columns = list(zip(*inputs)) if isinstance(inputs[0], list) else [inputs]
    options = {"truncation": True, "return_tensors": "pt"}
    alone = [tokenizer(*[column[row] for column in columns], **options) for row in range(len(inputs))]
    together = tokenizer(*[list(column) for column in columns], padding=True, **options)
    with torch.no_grad():
        return {
            "class": type(model).__name__,
            "labels": list(model.config.id2label.values()),
            "problems": {key: sorted(map(str, value)) for key, value in info.items() if value},
            "messages": handler.messages + [str(one.message) for one in caught],
            "ids": [encoded["input_ids"][0].tolist() for encoded in alone],
            "logits": [model(**encoded).logits[0].tolist() for encoded in alone],
            "batched": model(**together).logits.tolist(),
            "onnx": onnx_logits(f"{folder}/onnx/model.onnx", alone),
            "onnxBatched": onnx_logits(f"{folder}/onnx/model.onnx", [together]),
        }


def onnx_logits(path: str, batches: list) -> list:
    """Logits of batches of ids and masks in a checked ONNX model."""
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    assert names == ["input_ids", "attention_mask", "token_type_ids"], names
    assert [one.name for one in session.get_outputs()] == ["logits"]
    assert all(one.domain == "" and one.version >= 17 for one in onnx.load(path).opset_import)
    results = []
    for batch in batches:
        feeds = {name: numpy.asarray(batch[name], numpy.int64) for name in names[:2]}
        feeds["token_type_ids"] = numpy.zeros_like(feeds["input_ids"])
        results += session.run(["logits"], feeds)[0].tolist()
    return results


def main() -> None:
    transformers_logging.disable_progress_bar()
    print(json.dumps({folder: results_of(folder, inputs) for folder, inputs in json.load(sys.stdin).items()}))


main()
