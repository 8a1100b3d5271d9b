"""Train the residual network on scikit-learn's digits by plain PyTorch, and keep its weights along the way.

python tests/models/train_digits.py --seed 0 --out runs/seed0     # writes runs/seed0/step{0,100,300}.pt
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from digits_resnet import resnet
from sklearn.datasets import load_digits


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--keep", type=int, nargs="+", default=[0, 100, 300], help="steps")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    network = resnet()
    optimizer = torch.optim.SGD(network.parameters(), lr=options.learning_rate, momentum=0.9)
    for step in range(max(options.keep) + 1):
        if step in options.keep:
            torch.save(network.state_dict(), options.out / f"step{step}.pt")
        batch = torch.randint(len(images), (64,))
        loss = F.cross_entropy(network(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"seed {options.seed}: loss of the last batch {loss.item():.4f}")


if __name__ == "__main__":
    main()
