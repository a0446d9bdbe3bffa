#!/usr/bin/env python3
"""Draw 32x32 RGB pictures of ten classes of shapes, for the small trained network of this folder.

Every picture is a function of (seed, split, index) alone; its class is index modulo ten.
"""

import argparse
import math
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageStat

SIZE = 32  # pixels along each edge of a picture
SCALE = 4  # shapes are drawn this many times larger, then averaged down
CANVAS = SIZE * SCALE
LEAST_CONTRAST = 90  # distance in RGB between a shape and the mean of what it covers

SPLITS = {"training": 0, "held-out": 1}


def ellipse(radius_x, radius_y, centre_x=0.0, centre_y=0.0, corners=48):
  """Return an ellipse as a polygon."""
  angle = np.linspace(0, 2 * math.pi, corners, endpoint=False)
  return np.stack([centre_x + radius_x * np.cos(angle), centre_y + radius_y * np.sin(angle)], axis=1)


def regular(corners):
  """Return a regular polygon of circumradius 1 with a corner at the top."""
  angle = np.arange(corners) * 2 * math.pi / corners - math.pi / 2
  return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def star():
  """Return a star of five points."""
  points = regular(10)
  points[1::2] *= 0.45
  return points


def cross():
  """Return a plus sign."""
  a, b = 0.3, 0.95
  return np.array([(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a),
                   (a, b), (-a, b), (-a, a), (-b, a), (-b, -a), (-a, -a)])


def arrow():
  """Return an arrow that points up."""
  return np.array([(0, -1), (0.7, -0.15), (0.25, -0.15), (0.25, 1), (-0.25, 1), (-0.25, -0.15), (-0.7, -0.15)])


def heart():
  """Return a heart."""
  t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
  x = 16 * np.sin(t) ** 3
  y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
  return np.stack([x, -y], axis=1) / 16


# Class name: (outline, hole or None), in units of the shape's radius. The order is the order of the network's outputs.
SHAPES = {
  "circle": (ellipse(0.9, 0.9), None),
  "square": (regular(4), None),
  "triangle": (regular(3), None),
  "pentagon": (regular(5), None),
  "star": (star(), None),
  "cross": (cross(), None),
  "ring": (ellipse(0.95, 0.95), ellipse(0.5, 0.5)),
  "crescent": (ellipse(1, 1), ellipse(0.85, 0.85, centre_x=0.5)),
  "arrow": (arrow(), None),
  "heart": (heart(), None),
}
CLASSES = list(SHAPES)


def random_colour(rng):
  """Return any colour, as whole numbers from 0 to 255."""
  return tuple(int(value) for value in rng.integers(0, 256, 3))


def random_point(rng):
  """Return a point that may lie a little outside the canvas."""
  return tuple(rng.uniform(-0.1 * CANVAS, 1.1 * CANVAS, 2))


def new_mask():
  """Return an empty canvas for one stroke, and the pen to draw on it."""
  mask = Image.new("L", (CANVAS, CANVAS))
  return mask, ImageDraw.Draw(mask)


def opacity(rng, least, most):
  """Return a random value to draw on a mask, where 255 is opaque, from shares of it."""
  return int(255 * rng.uniform(least, most))


def gradient(rng):
  """Return a canvas that goes from one colour to a similar one, in a random direction."""
  first = np.array(random_colour(rng))
  second = np.clip(first + rng.normal(0, 50, 3), 0, 255)
  angle = rng.uniform(0, 2 * math.pi)
  axis = np.linspace(-0.5, 0.5, SIZE)
  ramp = 0.5 + (axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)) / math.sqrt(2)
  pixels = np.rint(first + ramp[..., None] * (second - first)).astype(np.uint8)
  return Image.fromarray(pixels).resize((CANVAS, CANVAS), Image.Resampling.NEAREST)


def add_blobs(rng, picture):
  """Paint up to three soft, translucent ellipses."""
  for _ in range(rng.integers(0, 4)):
    mask, pen = new_mask()
    centre_x, centre_y = random_point(rng)
    radius_x, radius_y = rng.uniform(0.06, 0.3, 2) * CANVAS
    box = (centre_x - radius_x, centre_y - radius_y, centre_x + radius_x, centre_y + radius_y)
    pen.ellipse(box, fill=opacity(rng, 0.2, 0.6))
    picture.paste(random_colour(rng), mask=mask.filter(ImageFilter.BoxBlur(SCALE)))


def add_lines(rng, picture, most):
  """Paint up to `most` straight lines."""
  for _ in range(rng.integers(0, most + 1)):
    mask, pen = new_mask()
    width = int(rng.integers(SCALE // 2, 2 * SCALE))
    pen.line([random_point(rng), random_point(rng)], fill=opacity(rng, 0.4, 1.0), width=width)
    picture.paste(random_colour(rng), mask=mask)


def place(points, radius, angle, centre):
  """Scale, rotate and move a polygon; return it in the form that PIL draws."""
  turn = np.array([(math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))])
  return [tuple(point) for point in points @ turn * radius + centre]


def add_shape(rng, picture, name):
  """Paint one shape of random size, rotation, position and colour."""
  outline, hole = SHAPES[name]
  radius = rng.uniform(0.25, 0.45) * CANVAS
  angle = rng.uniform(0, 2 * math.pi)
  centre = rng.uniform(0.9 * radius, CANVAS - 0.9 * radius, 2)
  mask, pen = new_mask()
  pen.polygon(place(outline, radius, angle, centre), fill=opacity(rng, 0.75, 1.0))
  if hole is not None:
    pen.polygon(place(hole, radius, angle, centre), fill=0)
  picture.paste(contrasting_colour(rng, picture, mask), mask=mask)


def contrasting_colour(rng, picture, mask):
  """Return a random colour that differs from what the mask will cover."""
  covered = ImageStat.Stat(picture, mask).mean
  while True:
    colour = random_colour(rng)
    if math.dist(colour, covered) > LEAST_CONTRAST:
      return colour


def draw(seed, split, index):
  """Draw picture `index` of a split; return uint8[32][32][3]. Its class is index % 10."""
  rng = np.random.default_rng([seed, SPLITS[split], index])
  picture = gradient(rng)
  add_blobs(rng, picture)
  add_lines(rng, picture, most=4)
  add_shape(rng, picture, CLASSES[index % len(CLASSES)])
  add_lines(rng, picture, most=1)
  pixels = np.asarray(picture.reduce(SCALE), np.float64)
  noise = rng.normal(0, rng.uniform(2, 15), pixels.shape)
  return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def draw_many(seed, split, first, count):
  """Draw consecutive pictures; return uint8[count][32][32][3] and their classes, int64[count]."""
  indices = np.arange(first, first + count)
  pictures = np.stack([draw(seed, split, int(index)) for index in indices])
  return pictures, indices % len(CLASSES)


def file_name(index):
  """Return the name of picture `index`: its class, then its number within the class."""
  return f"{CLASSES[index % len(CLASSES)]}-{index // len(CLASSES):02d}.png"


def save(folder, pictures):
  """Write pictures 0, 1, ... of a split as PNG files."""
  folder.mkdir(parents=True, exist_ok=True)
  for index, picture in enumerate(pictures):
    Image.fromarray(picture).save(folder / file_name(index))


def main():
  """Write the first pictures of a split as PNG files."""
  parser = argparse.ArgumentParser(description=main.__doc__)
  parser.add_argument("--seed", type=int, default=1, help="seed of all pictures (default: %(default)s)")
  parser.add_argument("--split", choices=SPLITS, default="held-out", help="which pictures (default: %(default)s)")
  parser.add_argument("--count", type=int, default=20, help="how many (default: %(default)s)")
  parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
  options = parser.parse_args()
  pictures, _ = draw_many(options.seed, options.split, 0, options.count)
  save(options.out, pictures)


if __name__ == "__main__":
  main()
