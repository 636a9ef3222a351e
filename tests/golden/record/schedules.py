"""Records the learning rates of every schedule of NeMo 1.23, for every key, into schedules.json.

    python schedules.py OUT

The configuration takes the way of a training: `model.optim` through ModelPT.setup_optimization's steps (max_steps from the
trainer, else counted by NeMo from the data) and prepare_lr_scheduler; then Lightning's calls of the schedule, once per
optimizer step, or once per epoch where NeMo says so (EPOCH_SCHEDULERS).
"""
import pathlib
import sys
import warnings

import torch
from nemo.core.optim import get_optimizer, prepare_lr_scheduler

from writing import write_json

warnings.filterwarnings("ignore")
EPOCHS, STEPS_PER_EPOCH, LR = 3, 9, 0.004
# Better, worse by less than the thresholds, equal, worse, and so on: ends far below the first value.
WATCHED = [0.9, 0.8, 0.79995, 0.81, 0.82, 0.7999, 0.5, 0.6, 0.7, 0.6, 0.6, 0.49, 0.6, 0.6, 0.6]

WARMUP = [{}, {"warmup_steps": 4}, {"warmup_ratio": 0.3}, {"warmup_steps": 4, "min_lr": 0.001}, {"warmup_steps": 3, "min_lr": 0}]
HOLD = [{"warmup_steps": 4, **of} for of in (
    {}, {"hold_steps": 6}, {"hold_ratio": 0.3}, {"hold_steps": 0}, {"hold_steps": 6, "min_lr": 0.001})]
POLYNOMIAL = [{"power": 2.0}, {"power": 0.5, "min_lr": 0.001}, {"cycle": True}, {"power": 3.0, "cycle": True}]
PLATEAU = {"patience": 1}
CYCLE = {"base_lr": 0.001, "max_lr": 0.01, "step_size_up": 4, "cycle_momentum": False}

CASES = {
    "WarmupPolicy": WARMUP,
    "WarmupHoldPolicy": WARMUP + HOLD,
    "WarmupAnnealing": WARMUP,
    "SquareAnnealing": WARMUP,
    "SquareRootAnnealing": WARMUP,
    "CosineAnnealing": WARMUP + [
        {"constant_steps": 5}, {"constant_ratio": 0.25}, {"warmup_steps": 4, "constant_steps": 5, "min_lr": 0.001},
        {"warmup_ratio": 0.2, "constant_ratio": 0.3}],
    "NoamAnnealing": [{"d_model": 16, **of} for of in WARMUP] + [{"d_model": 40}, {"d_model": 40, "warmup_steps": 4, "min_lr": 0.0003}],
    "NoamHoldAnnealing": HOLD + [{"warmup_ratio": 0.3}, {"warmup_steps": 4, "decay_rate": 1.0},
                                 {"warmup_steps": 4, "hold_steps": 6, "decay_rate": 0.8, "min_lr": 0.002}],
    "InverseSquareRootAnnealing": WARMUP,
    "T5InverseSquareRootAnnealing": [{"constant_steps": 4}, {"constant_steps": 1}, {"constant_steps": 4, "min_lr": 0.001}],
    "PolynomialDecayAnnealing": WARMUP + POLYNOMIAL + [{"warmup_steps": 4, **of} for of in POLYNOMIAL],
    "PolynomialHoldDecayAnnealing": HOLD + POLYNOMIAL + [{"warmup_ratio": 0.3, "hold_ratio": 0.3}] + [{"warmup_steps": 4, "hold_steps": 6, **of} for of in POLYNOMIAL],
    "StepLR": [{"step_size": 5}, {"step_size": 1, "gamma": 0.9}, {"step_size": 7, "gamma": 0.5}],
    "ExponentialLR": [{"gamma": 0.5}, {"gamma": 0.9}],
    "ReduceLROnPlateau": [
        {}, PLATEAU, {"patience": 0}, {**PLATEAU, "factor": 0.5}, {**PLATEAU, "mode": "max"}, {**PLATEAU, "threshold": 0.2},
        {**PLATEAU, "threshold": 0.05, "threshold_mode": "abs"}, {**PLATEAU, "mode": "max", "threshold": 0.05, "threshold_mode": "abs"},
        {"patience": 0, "cooldown": 2}, {"patience": 0, "min_lr": 0.0005}, {"patience": 0, "eps": 0.0001}],
    "CyclicLR": [
        CYCLE, {**CYCLE, "step_size_down": 7}, {**CYCLE, "mode": "triangular2"}, {**CYCLE, "mode": "exp_range", "gamma": 0.9},
        {**CYCLE, "mode": "exp_range"}, {**CYCLE, "mode": "triangular2", "step_size_down": 3}, {**CYCLE, "scale_mode": "iterations"},
        {"base_lr": 0.001, "max_lr": 0.01, "cycle_momentum": False}],
}
# How max_steps comes about: the key of the schedule, of the trainer, both, and -1, for which NeMo makes no schedule.
LENGTHS = [({"max_steps": 12}, -1), ({}, 14), ({"max_steps": 12}, 14), ({"max_steps": -1}, -1), ({"max_steps": -1}, 14)]


def rates_of(sched: dict, trainer_max_steps: int, epochs: int) -> list:
    optimizer = get_optimizer("adam")([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    # As ModelPT.setup_optimization.
    if trainer_max_steps < 0:
        filled = {**sched, "t_max_epochs": epochs, "t_accumulate_grad_batches": 1, "t_limit_train_batches": 1.0, "t_num_workers": 1}
    else:
        filled = {**sched, "max_steps": trainer_max_steps}
    data = torch.utils.data.DataLoader(range(STEPS_PER_EPOCH * 4 - 1), batch_size=4)
    made = prepare_lr_scheduler(optimizer, filled, data)
    rates = []
    for epoch in range(epochs):
        for _ in range(STEPS_PER_EPOCH):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if made and made["interval"] == "step":
                made["scheduler"].step()
        if made and made["interval"] == "epoch":
            made["scheduler"].step(*([WATCHED[epoch]] if made["reduce_on_plateau"] else []))
    return rates


def main() -> None:
    cases = []

    def record(sched: dict, max_steps: int, epochs: int) -> None:
        cases.append({"sched": sched, "max_steps": max_steps, "epochs": epochs, "lr": rates_of(sched, max_steps, epochs)})

    for name, settings in CASES.items():
        for keys in settings:
            record({"name": name, **keys}, -1, len(WATCHED) if name == "ReduceLROnPlateau" else EPOCHS)
        for keys, max_steps in LENGTHS:
            # The first case has the keys that the schedule needs.
            record({"name": name, **settings[1 if name in ("WarmupAnnealing", "CosineAnnealing") else 0], **keys}, max_steps, 2)
    # The rate of ReduceLROnPlateau changes once per epoch, so its first rate of each epoch is enough.
    for case in cases:
        if case["sched"]["name"] == "ReduceLROnPlateau":
            case["lr"] = case["lr"][::STEPS_PER_EPOCH]
    write_json(pathlib.Path(sys.argv[1]) / "schedules.json", {
        "torch": torch.__version__, "optim_lr": LR, "steps_per_epoch": STEPS_PER_EPOCH, "watched": WATCHED, "cases": cases})


main()
