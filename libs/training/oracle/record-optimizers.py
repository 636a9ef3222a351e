"""Records what PyTorch's optimizers make of a weight, step by step: `python record-optimizers.py > optimizers.json`.

Seen with torch 2.2.2. The gradients are given, so that nothing but the optimizer's arithmetic is compared.
"""
import json
import torch

torch.manual_seed(7)
STEPS = 6
weight = torch.randn(5)
gradients = torch.randn(STEPS, 5)
gradients[2, 1] = 0.0

# PyTorch's class, its arguments; names and arguments are those of `model.optim`.
CASES = [
    ("adam", {}), ("adam", {"weight_decay": 0.01}), ("adam", {"betas": [0.8, 0.95], "eps": 1e-4}),
    ("adamw", {"weight_decay": 0.05}), ("adamw", {"weight_decay": 0.0}),
    ("adamw", {"betas": [0.8, 0.95], "eps": 1e-4}),
    ("sgd", {}), ("sgd", {"momentum": 0.9}), ("sgd", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("adagrad", {}), ("adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "weight_decay": 0.01, "eps": 1e-7}),
    ("adadelta", {}), ("adadelta", {"rho": 0.7, "eps": 1e-5, "weight_decay": 0.01}),
    ("adamax", {}), ("adamax", {"betas": [0.7, 0.9], "weight_decay": 0.01, "eps": 1e-6}),
    ("rmsprop", {}), ("rmsprop", {"alpha": 0.9, "momentum": 0.8, "weight_decay": 0.01}),
    ("rmsprop", {"centered": True, "eps": 1e-6}),
]
CLASSES = {
    "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD, "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta, "adamax": torch.optim.Adamax, "rmsprop": torch.optim.RMSprop,
}

cases = []
for name, options in CASES:
    parameter = torch.nn.Parameter(weight.clone())
    optimizer = CLASSES[name]([parameter], lr=0.05, **options)
    weights = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        weights.append(parameter.detach().tolist())
    cases.append({"optim": {"name": name, "lr": 0.05, **options}, "weights": weights})
defaults = {
    name: {key: value for key, value in of([weight]).defaults.items() if not isinstance(value, type(None))}
    for name, of in CLASSES.items()
}
print(json.dumps({"torch": torch.__version__, "defaults": defaults, "weight": weight.tolist(), "gradients": gradients.tolist(), "cases": cases}))
