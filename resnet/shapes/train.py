#!/usr/bin/env python3
"""Train a CIFAR ResNet-20 on the pictures of draw.py, and write its weights, sample pictures and their logits."""

import argparse
import csv
import json
import pathlib
import time

import torch
from torch import nn
from torch.nn import functional

import draw

BATCH = 64
EPOCH = 10_000 // BATCH  # batches from one line of progress to the next; no picture is drawn twice
SAMPLES = 20  # held-out pictures that are written out with their logits
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class BasicBlock(nn.Module):
  """Two 3x3 convolutions and a shortcut without weights (option A of He et al. 2015, section 4.2)."""

  def __init__(self, channels_in, channels, stride):
    super().__init__()
    self.stride = stride
    self.padding = (channels - channels_in) // 2
    self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
    self.bn1 = nn.BatchNorm2d(channels)
    self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    self.bn2 = nn.BatchNorm2d(channels)

  def shortcut(self, x):
    """Subsample the pixels, and add zero channels evenly on both sides."""
    return functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.padding, self.padding))

  def forward(self, x):
    """Return the block's output."""
    y = functional.relu(self.bn1(self.conv1(x)))
    return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def layer(channels_in, channels, stride):
  """Return the three blocks of one resolution."""
  return nn.Sequential(
    BasicBlock(channels_in, channels, stride), BasicBlock(channels, channels, 1), BasicBlock(channels, channels, 1))


class ResNet20(nn.Module):
  """The ResNet-20 for 32x32 pictures, with the tensor names of akamaster/pytorch_resnet_cifar10."""

  def __init__(self, classes):
    super().__init__()
    self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
    self.bn1 = nn.BatchNorm2d(16)
    self.layer1 = layer(16, 16, 1)
    self.layer2 = layer(16, 32, 2)
    self.layer3 = layer(32, 64, 2)
    self.linear = nn.Linear(64, classes)

  def forward(self, x):
    """Return the logits of a batch."""
    x = functional.relu(self.bn1(self.conv1(x)))
    x = self.layer3(self.layer2(self.layer1(x)))
    return self.linear(x.mean(dim=(2, 3)))


def initialise(network):
  """Draw the weights by the rule of He et al."""
  for module in network.modules():
    if isinstance(module, (nn.Conv2d, nn.Linear)):
      nn.init.kaiming_normal_(module.weight)


def normalised(pictures):
  """Turn uint8[n][32][32][3] into the network's input, float32[n][3][32][32]."""
  x = torch.from_numpy(pictures).float() / 255
  return ((x - torch.tensor(MEAN)) / torch.tensor(DEVIATION)).permute(0, 3, 1, 2).contiguous()


def train_epoch(network, optimizer, schedule, seed, epoch):
  """Take one step per batch of new pictures; return the mean loss."""
  network.train()
  total = 0.0
  for batch in range(epoch * EPOCH, (epoch + 1) * EPOCH):
    pictures, classes = draw.draw_many(seed, "training", batch * BATCH, BATCH)
    loss = functional.cross_entropy(network(normalised(pictures)), torch.from_numpy(classes))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    total += loss.item()
  return total / EPOCH


def train(network, seed, epochs):
  """Train the network, and print its progress."""
  optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
  schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=epochs * EPOCH, pct_start=0.25)
  start = time.monotonic()
  for epoch in range(epochs):
    loss = train_epoch(network, optimizer, schedule, seed, epoch)
    print(f"epoch {epoch + 1}/{epochs}: loss {loss:.4f}, {time.monotonic() - start:.0f} s", flush=True)


def round_to_half(network):
  """Round every weight and statistic to the nearest F16 value, and keep it as float32."""
  for tensor in network.state_dict().values():
    if tensor.is_floating_point():
      tensor.copy_(tensor.half())


def write_safetensors(path, network):
  """Write the weights and statistics as F16, in the order of the network."""
  header = {"__metadata__": {"format": "pt"}}
  data = bytearray()
  for name, tensor in network.state_dict().items():
    if tensor.is_floating_point():
      start = len(data)
      data += tensor.half().numpy().astype("<f2").tobytes()
      header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [start, len(data)]}
  text = json.dumps(header, separators=(",", ":")).encode()
  text += b" " * (-len(text) % 8)
  path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@torch.no_grad()
def evaluate(network, pictures):
  """Return the logits of all pictures."""
  network.eval()
  return torch.cat([network(normalised(pictures[i:i + BATCH])) for i in range(0, len(pictures), BATCH)])


def write_logits(path, logits):
  """Write the logits of held-out pictures 0, 1, ... with all the digits of a float32."""
  with path.open("w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["image"] + draw.CLASSES)
    for index, row in enumerate(logits.tolist()):
      writer.writerow([draw.file_name(index)] + [f"{value:.9g}" for value in row])


def options():
  """Parse the command line."""
  here = pathlib.Path(__file__).resolve().parent
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--seed", type=int, default=1, help="seed of pictures and weights (default: %(default)s)")
  parser.add_argument("--epochs", type=int, default=8, help=f"of {EPOCH * BATCH} new pictures (default: %(default)s)")
  parser.add_argument("--held-out", type=int, default=5000, help="pictures to measure with (default: %(default)s)")
  parser.add_argument("--threads", type=int, default=1, help="of PyTorch (default: %(default)s)")
  parser.add_argument("--out", type=pathlib.Path, default=here, help="folder to write to (default: this one)")
  return parser.parse_args()


def main():
  """Train, write the weights, and measure what was written."""
  chosen = options()
  torch.manual_seed(chosen.seed)
  torch.set_num_threads(chosen.threads)
  network = ResNet20(len(draw.CLASSES))
  initialise(network)
  train(network, chosen.seed, chosen.epochs)

  chosen.out.mkdir(parents=True, exist_ok=True)
  round_to_half(network)
  write_safetensors(chosen.out / "shapes-resnet20.safetensors", network)
  (chosen.out / "labels.txt").write_text("\n".join(draw.CLASSES) + "\n")

  pictures, classes = draw.draw_many(chosen.seed, "held-out", 0, chosen.held_out)
  logits = evaluate(network, pictures)
  correct = int((logits.argmax(dim=1) == torch.from_numpy(classes)).sum())
  print(f"held-out accuracy {100 * correct / len(classes):.2f}% ({correct} of {len(classes)})")

  draw.save(chosen.out / "pictures", pictures[:SAMPLES])
  write_logits(chosen.out / "logits.csv", evaluate(network, pictures[:SAMPLES]))


if __name__ == "__main__":
  main()
