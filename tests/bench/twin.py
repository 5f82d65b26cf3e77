"""The PyTorch side of ``tests.bench.training``, in an environment of its own.

Run as ``python twin.py NETWORK BATCH DATA.npz``: says ``ready``, then trains for one
epoch for every line it is sent, and answers with the seconds that took.
"""

import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

THREADS = 2


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def cnn() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, stride in (
        (1, 16, 5, 2),
        (16, 32, 3, 1),
        (32, 48, 3, 2),
        (48, 64, 3, 1),
    ):
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 7 * 7, 10))


def batches(images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(labels))
    for start in range(0, len(labels), size):
        rows = order[start : start + size]
        yield images[rows], labels[rows]


def main(network: str, size: int, path: str) -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    with np.load(path) as data:
        pixels = torch.from_numpy(data["images"].astype(np.float32) / 255)
        labels = torch.from_numpy(data["labels"].astype(np.int64))
    if network == "mlp":
        model, images = mlp(), pixels.reshape(-1, 784)
    else:
        channels_last = torch.channels_last
        model = cnn().to(memory_format=channels_last)
        images = pixels.reshape(-1, 1, 28, 28).contiguous(memory_format=channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    model.train()
    print(f"ready torch {torch.__version__} {torch.get_num_threads()} threads", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        for x, y in batches(images, labels, size):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
