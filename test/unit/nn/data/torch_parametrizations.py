"""Writes torch_parametrizations.json beside this file. Numbers are sin(0.7 i + offset) times 0.6."""
import json
import os

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm


def wave(shape, offset):
    n = int(torch.tensor(shape).prod())
    return (0.6 * torch.sin(0.7 * torch.arange(n, dtype=torch.float64) + offset)).reshape(shape).float()


def flat(x):
    return [round(float(v), 7) for v in x.detach().ravel()]


cases = []


def case(kind, module, name, shape, options, calls):
    module = (weight_norm if kind == "weight" else spectral_norm)(module, name, **options)
    keys = {k: list(v.shape) for k, v in module.state_dict().items()}
    module.load_state_dict({k: wave(s, i + 1) if s else torch.tensor(0.7) for i, (k, s) in enumerate(sorted(keys.items()))})
    outputs, grads = [], []
    for i, mode in enumerate(calls):
        module.train(mode == "train")
        module.zero_grad()
        y = module(wave(shape, 10 + i))
        y = y[0] if isinstance(y, tuple) else y
        (y * wave(list(y.shape), 20)).sum().backward()
        outputs.append(flat(y))
        grads.append({k: flat(p.grad) for k, p in module.named_parameters()})
    cases.append({"kind": kind, "module": type(module).__mro__[1].__name__, "name": name, "shape": shape, "options": options, "calls": calls, "keys": keys,
                  "outputs": outputs, "grads": grads, "after": {k: flat(v) for k, v in module.state_dict().items()}})


case("weight", nn.Linear(4, 3), "weight", [2, 4], {}, ["train", "eval"])
case("weight", nn.Linear(4, 3), "weight", [2, 4], {"dim": None}, ["train"])
case("weight", nn.Conv1d(4, 6, 3), "weight", [2, 4, 5], {"dim": 2}, ["train"])
case("weight", nn.LSTM(2, 3), "weight_hh_l0", [4, 1, 2], {}, ["train", "eval"])
case("weight", nn.LayerNorm(4), "weight", [2, 4], {}, ["train"])
case("spectral", nn.Linear(4, 3), "weight", [2, 4], {}, ["train", "train", "eval"])
case("spectral", nn.Conv2d(2, 3, 2), "weight", [1, 2, 3, 4], {"n_power_iterations": 3, "dim": 1, "eps": 1e-6}, ["eval", "train"])
case("spectral", nn.LayerNorm(4), "weight", [2, 4], {}, ["train"])
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_parametrizations.json")
with open(path, "w") as f:
    json.dump({"torch": torch.__version__, "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
