"""Writes torch_gradients.json beside this file: results and gradients of torch where inputs are NaN, infinite or tied."""
import itertools
import json
import math
import os

import torch
import torch.nn.functional as F

NAN, INF = math.nan, math.inf
cases = []


def plain(x):
    return ["NaN" if math.isnan(v) else "Infinity" if v == INF else "-Infinity" if v == -INF else v for v in x.detach().double().ravel().tolist()]


def case(name, f, *inputs):
    xs = [torch.tensor(x, dtype=torch.float32, requires_grad=True) for x in inputs]
    y = f(*xs)
    grads = torch.autograd.grad((y * torch.arange(1, y.numel() + 1).reshape(y.shape)).sum(), xs, allow_unused=True)
    cases.append({"name": name, "inputs": [{"shape": list(x.shape), "data": plain(x)} for x in xs], "output": plain(y),
                  "grads": [None if g is None else plain(g) for g in grads]})


rows = [[NAN, 1.0, 2.0, 1.0], [3.0, 3.0, -1.0, 3.0], [INF, INF, 0.0, -INF], [-2.0, 5.0, 4.0, 5.0]]
case("amax", lambda x: x.amax(1), rows)
case("amin", lambda x: x.amin(1), rows)
case("max", lambda x: x.max().reshape(1), [1.0, NAN, 2.0, NAN])
case("min", lambda x: x.min().reshape(1), [1.0, 3.0, 1.0])
case("norm_inf", lambda x: torch.linalg.vector_norm(x, INF, dim=1), rows)
untied = [rows[0], [3.0, 3.5, -1.0, 4.0], [INF, 1.0, 0.0, -INF], [-2.0, 5.0, 4.0, 6.0]]
case("quantile_linear", lambda x, q: torch.quantile(x, q, dim=1), untied, [0.3, 0.5])
case("quantile_midpoint", lambda x, q: torch.quantile(x, q, dim=1, interpolation="midpoint"), untied, [0.3, 0.5])
case("quantile_higher", lambda x, q: torch.quantile(x, q, dim=1, interpolation="higher"), untied, [0.3, 0.5])
for c in (0, 1, 4, 6):
    case(f"var_{c}", lambda x: torch.var(x, 1, correction=c), rows)
    case(f"std_{c}", lambda x: torch.std(x, 1, correction=c), rows)
case("nansum", lambda x: torch.nansum(x, 1) / torch.tensor([0.0, 1.0, 2.0, 3.0]), rows)
case("xlogy", torch.xlogy, [0.0, 0.0, 0.0, 2.0, NAN, 0.0, 1.0, INF], [0.0, 2.0, NAN, 0.0, 1.0, -1.0, INF, 2.0])
case("kl_div", lambda x, t: F.kl_div(x, t, reduction="none"), [0.5, -INF, 1.0, 2.0], [0.0, 0.5, 1.0, INF])
triples = list(itertools.product((NAN, 1.0, 2.0, 3.0), repeat=3))
case("clamp", lambda x, a, b: torch.clamp(x, a, b), *[[t[i] for t in triples] for i in range(3)])
index = torch.tensor([[0, 1, 1, 2], [0, 0, 0, 0]])
case("scatter", lambda x, s: x.scatter(1, index, s), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
for kind in ("amax", "amin"):
    case(f"scatter_{kind}", lambda x, s: x.scatter_reduce(1, index, s, kind), [[1.0, NAN, 3.0], [8.0, 5.0, 6.0]], [[1.0, 2.0, 3.0, NAN], [5.0, 8.0, 5.0, 8.0]])
case("grid_sample", lambda x, g: F.grid_sample(x, g, align_corners=False), [[[[1.0, 2.0], [3.0, 4.0]]]], [[[[NAN, 0.1], [0.2, 0.3], [INF, 0.0]]]])
case("max_pool", lambda x: F.max_pool2d(x, 3, 2, 1), [[[[-INF] * 4] * 3]])
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_gradients.json")
with open(path, "w") as f:
    json.dump({"torch": torch.__version__, "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
