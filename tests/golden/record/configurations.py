"""Records how transformers reads settings of a config.json that have several names or forms, into configurations.json.

    python configurations.py OUT

Needs transformers 5, as families.py does.
"""
import copy
import pathlib
import sys

import torch
import transformers
from transformers import CONFIG_MAPPING
from transformers.activations import ACT2FN

from writing import rounded, write_json

DISTILBERT = [
    {},
    {"dim": 12, "n_heads": 3, "n_layers": 2},
    {"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 2},
    {"dim": 12, "n_heads": 3, "n_layers": 2, "num_attention_heads": 6},
    {"num_hidden_layers": 1, "num_attention_heads": 6, "hidden_size": 24, "dim": 12, "n_heads": 3, "n_layers": 2},
    {"hidden_size": 24, "n_heads": 3},
]

NESTED = {"full_attention": {"rope_type": "default", "rope_theta": 5.0},
          "sliding_attention": {"rope_type": "default", "rope_theta": 6.0}}
MODERNBERT = [
    {},
    {"rope_theta": 50.0},
    {"global_rope_theta": 7.0, "local_rope_theta": 8.0},
    {"global_rope_theta": 7.0, "rope_theta": 50.0},
    {"rope_parameters": NESTED},
    {"rope_parameters": {"full_attention": {"rope_theta": 5.0}}, "local_rope_theta": 8.0},
    {"rope_parameters": NESTED, "global_rope_theta": 7.0, "local_rope_theta": 8.0, "rope_theta": 50.0},
    {"rope_scaling": {"rope_theta": 50.0}},
    {"rope_scaling": {"rope_type": "default", "rope_theta": 50.0}, "global_rope_theta": 7.0, "local_rope_theta": 8.0},
    {"rope_scaling": {"type": "default"}, "local_rope_theta": 8.0},
    {"rope_scaling": {"rope_theta": 50.0}, "rope_parameters": NESTED},
    {"rope_scaling": None, "rope_parameters": None},
    {"rope_scaling": {}},
]

DEBERTA = [
    {"pos_att_type": terms} for terms in (
        None, [], "", "c2p", "c2p|p2c", " C2P | p2c ", "p2c|", ["c2p"], ["p2c", "c2p"], ["c2p", " p2c"], [" c2p"], ["P2C"],
        ["c2p|p2c"], ["c2p", ""], ["c2p", "c2p"])]


def distilbert(config) -> dict:
    return {"hiddenSize": config.hidden_size, "numHeads": config.num_attention_heads, "numLayers": config.num_hidden_layers}


def modernbert(config) -> dict:
    return {"thetas": [config.rope_parameters[kind]["rope_theta"] for kind in ("full_attention", "sliding_attention")]}


def deberta(config) -> dict:
    """The terms that modeling_deberta_v2.py looks for."""
    return {"terms": [term for term in ("c2p", "p2c") if term in (config.pos_att_type or [])]}


def configurations(model_type: str, cases: list, read) -> list:
    return [{"config": {"model_type": model_type, **case},
             "values": read(CONFIG_MAPPING[model_type].from_dict(copy.deepcopy(case)))} for case in cases]


def activation(function, inputs: list) -> dict:
    x = torch.tensor(inputs, requires_grad=True)
    y = function(x)
    y.sum().backward()
    return {"outputs": y.tolist(), "slopes": x.grad.tolist()}


# No input is where a function has no derivative (0, the ends of clipped functions).
INPUTS = [-30.5, -9.75, -4.5, -2.5, -1.25, -0.75, -0.1, 0.1, 0.7, 1.5, 2.75, 5.5, 9.5, 11.25, 40.5]


def activations() -> dict:
    recorded = {}
    for name in ACT2FN:
        function = ACT2FN[name]
        if any(True for _ in function.parameters()):
            continue  # it has weights
        recorded[name] = activation(function, INPUTS)
    return recorded


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    write_json(pathlib.Path(sys.argv[1]) / "configurations.json", rounded({
        "transformers": transformers.__version__,
        "configurations": [
            *configurations("distilbert", DISTILBERT, distilbert),
            *configurations("modernbert", MODERNBERT, modernbert),
            *configurations("deberta-v2", DEBERTA, deberta)],
        "activations": {"inputs": INPUTS, "of": activations()}}))
