"""Writes torch_rnn.json beside this file: python torch_rnn.py. Numbers are sin(0.7 i + offset) times 0.6."""
import json
import os

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def wave(shape, offset):
    return torch.from_numpy((0.6 * np.sin(0.7 * np.arange(int(np.prod(shape))) + offset)).reshape(shape).astype("float32"))


cases = []
for kind, options in [("LSTM", dict(num_layers=2, bidirectional=True, batch_first=True)), ("LSTM", dict(proj_size=2)), ("GRU", dict(num_layers=2, batch_first=True, bias=False)),
                      ("RNN", dict(nonlinearity="relu", bidirectional=True))]:
    net = getattr(nn, kind)(3, 4, **options)
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(wave(p.shape, i + 1))
    x = wave([2, 5, 3], 10)
    first = options.get("batch_first", False)
    packed = pack_padded_sequence(x if first else x.transpose(0, 1), [5, 3], batch_first=first)
    y, state = net(packed)
    y = pad_packed_sequence(y, batch_first=first)[0]
    states = state if isinstance(state, tuple) else (state,)
    flat = lambda t: [round(v, 7) for v in t.detach().flatten().tolist()]
    cases.append({"kind": kind, "options": options, "keys": {k: list(v.shape) for k, v in net.state_dict().items()}, "output": flat(y), "states": [flat(s) for s in states]})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_rnn.json"), "w") as f:
    json.dump({"torch": torch.__version__, "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
