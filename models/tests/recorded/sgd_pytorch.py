"""Records what PyTorch does with the network of tests/recorded.rs; prints the contents of sgd_pytorch.txt."""
import numpy as np
import torch
import torch.nn.functional as F

SHAPES = [(4, 1, 3, 3), (4,), (36, 8), (8,), (8, 3), (3,)]
AMPLITUDES = [0.4, 0.1, 0.25, 0.1, 0.5, 0.1]
BATCH, STEPS = 6, 100


def initial(k):
    i = np.arange(np.prod(SHAPES[k]))
    values = AMPLITUDES[k] * np.sin(1 + 0.7 * i + 2 * k)
    return torch.tensor(values.astype(np.float32).reshape(SHAPES[k]), requires_grad=True)


def batch(t):
    labels = (np.arange(BATCH) + t) % 3
    pixels = [np.sin(0.3 * np.arange(64) * (label + 1) + 0.5 * n + 0.1 * t) for n, label in enumerate(labels)]
    images = np.array(pixels, dtype=np.float32).reshape(BATCH, 1, 8, 8)
    return torch.tensor(images), torch.tensor(labels)


def run(**options):
    w = [initial(k) for k in range(len(SHAPES))]
    optimizer = torch.optim.SGD(w, **options)
    losses = []
    for t in range(STEPS):
        x, labels = batch(t)
        x = F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1])), 2).flatten(1)
        x = torch.tanh(x @ w[2] + w[3]) @ w[4] + w[5]
        loss = F.cross_entropy(x, labels, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, w


print(f"# PyTorch {torch.__version__}: losses of {STEPS} steps, then the parameters, a line each")
for name, options in [
    ("sgd:lr=0.05", dict(lr=0.05)),
    ("momentum:lr=0.02", dict(lr=0.02, momentum=0.9)),
    ("nesterov:lr=0.02,weight_decay=0.001", dict(lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.001)),
]:
    losses, parameters = run(**options)
    print(name)
    print(*(f"{v:.6f}" for v in losses))
    for p in parameters:
        print(*(f"{v:.6f}" for v in p.detach().flatten().tolist()))
