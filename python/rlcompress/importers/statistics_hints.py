"""Signs that a policy was trained on normalised observations: looked for only when no statistics were given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CONFIG_LIMIT = 1 << 16
_FOLDER_LIMIT = 10_000
_VECNORMALIZE = re.compile(r"[._-]?vec_?normalize", re.IGNORECASE)
_NORMALIZE = re.compile(r"^[\s-]*['\"]?normalize['\"]?\s*(?::|\n\s*-)\s*(?P<value>[^\n]*)", re.MULTILINE)


def statistics_hint(path: Path, data: Mapping[str, Any], on_policy: bool) -> str | None:
    """What says that observation statistics are needed, in words, or None.

    Args:
        path: of the zip.
        data: its plain fields.
        on_policy: PPO and A2C save the original observation only behind VecNormalize; the others always do.
    """
    config, needed = _config(path)
    if needed is False:
        return None
    pickle = next(iter(_beside(path, ".pkl", _is_vecnormalize)), None)
    if pickle is not None:
        return f"{pickle} lies beside it"
    if needed:
        return f"{config} sets normalize"
    if data.get("_vec_normalize_env") is not None or (on_policy and data.get("_last_original_obs") is not None):
        return "it was trained behind VecNormalize"
    return None


def _beside(path: Path, suffix: str, matches: Any) -> list[Path]:
    """Files with `suffix` in the zip's folder, or in a folder beside it with its name, that match its name."""
    found: list[Path] = []
    for folder in (path.parent, path.with_suffix("")):
        try:
            for count, entry in enumerate(folder.iterdir()):
                if count >= _FOLDER_LIMIT:
                    break
                if entry.name.lower().endswith(suffix) and matches(entry.name, path.stem):
                    found.append(entry)
        except OSError:  # a folder that cannot be listed shows nothing
            continue
    return sorted(found)


def _is_vecnormalize(name: str, stem: str) -> bool:
    rest, count = _VECNORMALIZE.subn("", name[: -len(".pkl")])
    return count == 1 and rest.strip("._-") in ("", stem)


def _is_config(name: str, stem: str) -> bool:
    return name in (f"{stem}.config.yml", "config.yml")


def _config(path: Path) -> tuple[Path | None, bool | None]:
    """The configuration beside the zip and whether it asks for normalised observations; None = it does not say."""
    for file in _beside(path, ".yml", _is_config):
        try:
            with file.open("rb") as stream:
                text = stream.read(_CONFIG_LIMIT).decode("utf-8", "replace")
        except OSError:
            continue
        found = _NORMALIZE.search(text)
        if found:
            value = re.sub(r"[\s'\"]", "", found["value"]).lower()
            return file, not (value in ("false", "") or re.search(r"norm_obs(=|:)false", value))
    return None, None
