"""Training steps of cnnc beside PyTorch's, in turn, one thread: steps.py CNNC ZOO > steps.txt

A step is forward, gradient and SGD with momentum and weight decay, on random data. PyTorch runs eagerly, in both memory formats; the
quicker counts. Needs torch and torchvision.
"""
import json, subprocess, sys, time
import torch, torch.nn as nn, torch.nn.functional as F, torchvision.models as models

ROUNDS = 3
NETS = [("alexnet", 8, (3, 224, 224)), ("vgg16", 2, (3, 224, 224)), ("resnet50", 4, (3, 224, 224)),
        ("mobilenet_v2", 4, (3, 224, 224)), ("unet", 1, (1, 256, 256))]


class Double(nn.Sequential):
    def __init__(self, channels, width):
        conv = lambda c: nn.Conv2d(c, width, 3, padding=1)
        super().__init__(conv(channels), nn.ReLU(), conv(width), nn.ReLU())


class UNet(nn.Module):
    """models/zoo/unet.cnn."""

    def __init__(self, widths=(64, 128, 256, 512, 1024)):
        super().__init__()
        pairs = list(zip(widths, widths[1:]))
        self.down = nn.ModuleList(Double(c, w) for c, w in zip((1, *widths), widths))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(Double(2 * a, a) for a, _ in pairs)
        self.head = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x):
        skips = []
        for k, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if k else x)
            skips.append(x)
        for grow, block, skip in reversed(list(zip(self.grow, self.up, skips))):
            x = block(torch.cat([skip, grow(x)], 1))
        return self.head(x)


def pytorch(name, batch, shape, layout):
    net = (UNet() if name == "unet" else getattr(models, name)()).train().to(memory_format=layout)
    x = torch.randn(batch, *shape).to(memory_format=layout)
    target = torch.randint(0, 2, (batch, *shape[1:]) if name == "unet" else (batch,))
    sgd = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        sgd.zero_grad()
        F.cross_entropy(net(x), target).backward()
        sgd.step()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def cnnc(program, zoo, name, batch):
    command = [program, "bench", f"{zoo}/{name}.cnn", "--train", "--batch", str(batch), "--threads", "1", "--runs", "3", "--json", "--quiet"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["min_ms"]


def main():
    torch.set_num_threads(1)
    program, zoo = sys.argv[1:]
    print(f"PyTorch {torch.__version__}; milliseconds a step, one thread, the quickest of {ROUNDS} rounds in turn")
    for name, batch, shape in NETS:
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(cnnc(program, zoo, name, batch))
            theirs += [pytorch(name, batch, shape, layout) for layout in (torch.contiguous_format, torch.channels_last)]
        print(f"{name:12} batch {batch}  cnnc {min(ours):8.1f}  PyTorch {min(theirs):8.1f}  ratio {min(theirs) / min(ours):.2f}", flush=True)


main()
