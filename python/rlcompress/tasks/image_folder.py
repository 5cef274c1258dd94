"""Labelled images from a folder with one folder per class. Needs Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rlcompress.errors import InvalidValueError
from rlcompress.optional import require
from rlcompress.tasks.labelled import Labelled, Pair, inputs

_GREY, _DEEP = ("L", "1"), ("I", "F")  # modes of Pillow; deep ones hold more than 8 bits, which it would cut off
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff"}


def load_images(folder: Path) -> Labelled:
    """x (images, channels, height, width) float32 in [0, 1], channels 1 where all images are grey, else 3 (RGB).

    Classes are the folders' names in sorted order, images sorted by name within them.

    Raises:
        InvalidValueError: no images, images of different sizes or of more than 8 bits a channel, or a file that is no
            image; names the file.
        MissingExtraError: Pillow is not installed.
    """
    train, test = folder / "train", folder / "test"
    classes = _classes(train if train.is_dir() and test.is_dir() else folder)
    if train.is_dir() and test.is_dir():
        if _classes(test) != classes:
            raise InvalidValueError(f"{folder}: the same classes in train and test expected")
        x, y = _read(train, classes)
        held: tuple[Any, Any] | None = _read(test, classes)
        if held is not None and held[0].shape[1] != x.shape[1]:
            raise InvalidValueError(f"{folder}: images of one kind expected, found grey ones in train or test alone")
    else:
        (x, y), held = _read(folder, classes), None
    kept_apart = None if held is None else Pair(inputs(held[0], f"{folder}: test"), held[1])
    return Labelled(inputs(x, str(folder)), y, kept_apart, classes, (), str(folder))


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if not names:
        raise InvalidValueError(f"{folder}: one folder of images per class expected, none found")
    return names


def _read(folder: Path, classes: tuple[str, ...]) -> tuple[Any, Any]:
    image_type = require("PIL.Image")
    images: list[Any] = []
    labels: list[int] = []
    for index, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            if path.suffix.lower() in _ENDINGS:
                images.append(_decode(image_type, path))
                labels.append(index)
                if images[-1].size != images[0].size:
                    raise InvalidValueError(
                        f"{path}: {images[0].size} pixels expected as in the first image, found {images[-1].size}"
                    )
    if not images:
        raise InvalidValueError(f"{folder}: images ending in {', '.join(sorted(_ENDINGS))} expected, none found")
    grey = all(image.mode in _GREY for image in images)
    pixels = np.stack([np.asarray(image.convert("L" if grey else "RGB")) for image in images])
    pixels = pixels[:, None] if grey else np.moveaxis(pixels, 3, 1)
    return pixels, np.array(labels, np.int64)


def _decode(image_type: Any, path: Path) -> Any:
    try:
        with image_type.open(path) as file:
            file.load()
            image = file.copy()
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidValueError(f"{path}: an image expected ({error})") from error
    if image.mode.startswith(_DEEP):
        raise InvalidValueError(
            f"{path}: at most 8 bits a channel expected, found Pillow's mode {image.mode}; convert it, or give arrays "
            "in an .npz file"
        )
    return image
