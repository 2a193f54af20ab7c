"""Losses of 20 training steps by PyTorch, from weights and batches given by a formula: `python make.py [resnet18] [gpt2]` writes *.json beside itself.

Versions are in the files. Every floating entry K of a state dict is filled by the formula below, seeded by the name K; inputs likewise.
"""
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, ResNetConfig, ResNetForImageClassification

STEPS = 20


def uniform(name, count):
    """Numbers in [0, 1) from the FNV-1a hash of a name and the place: float64."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) % 2**32
    x = (seed + np.arange(count, dtype=np.uint64) * 0x9E3779B9).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x / 2.0**32


def fill(name, shape, low, high):
    values = (low + (high - low) * uniform(name, math.prod(shape))).astype(np.float32)
    return torch.from_numpy(values.reshape(shape))


def bounds(name, shape, gain):
    if name.endswith("running_var"):
        return 0.5, 1.5
    if name.endswith("running_mean"):
        return -0.2, 0.2
    if len(shape) >= 2:
        a = gain * math.sqrt(3 / math.prod(shape[1:]))
        return -a, a
    return (0.8, 1.2) if len(shape) == 1 and name.endswith("weight") else (-0.1, 0.1)


def set_weights(model, gain):
    for name, value in model.state_dict().items():
        if value.is_floating_point() and name != "lm_head.weight":
            value.copy_(fill(name, value.shape, *bounds(name, value.shape, gain)))


def integers(name, shape, below):
    return torch.from_numpy((uniform(name, math.prod(shape)) * below).astype(np.int64).reshape(shape))


def train(name, model, optimizer, batch_of, facts):
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = model(**batch_of(step % facts["ring"])).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    record = {"versions": versions, "steps": STEPS, **facts, "losses": losses}
    Path(__file__).with_name(f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(name, losses)


def resnet18():
    config = {
        "embedding_size": 64,
        "hidden_sizes": [64, 128, 256, 512],
        "depths": [2, 2, 2, 2],
        "layer_type": "basic",
        "num_labels": 10,
    }
    gain, shape = math.sqrt(2), [8, 3, 64, 64]
    model = ResNetForImageClassification(ResNetConfig(**config)).train()
    with torch.no_grad():
        set_weights(model, gain)
    sgd = {"lr": 2e-5, "momentum": 0.9, "weight_decay": 1e-4}

    def batch_of(slot):
        return {"pixel_values": fill(f"images.{slot}", shape, -2, 2), "labels": integers(f"labels.{slot}", shape[:1], 10)}

    facts = {"model": "resnet", "config": config, "gain": gain, "sgd": sgd, "shape": shape, "ring": STEPS}
    train("resnet18", model, torch.optim.SGD(model.parameters(), **sgd), batch_of, facts)


def gpt2():
    config = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    gain, shape = 0.5, [1, 32]
    model = GPT2LMHeadModel(GPT2Config(**config)).train()
    with torch.no_grad():
        set_weights(model, gain)
    adamw = {"lr": 1e-4, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}

    def batch_of(slot):
        ids = integers(f"ids.{slot}", shape, 50257)
        return {"input_ids": ids, "labels": ids}

    facts = {"model": "gpt2", "config": config, "gain": gain, "adamw": adamw, "shape": shape, "ring": 4}
    train("gpt2", model, torch.optim.AdamW(model.parameters(), **adamw), batch_of, facts)


for make in [resnet18, gpt2]:
    if make.__name__ in sys.argv[1:] or len(sys.argv) == 1:
        make()
