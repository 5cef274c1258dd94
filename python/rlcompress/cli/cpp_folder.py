"""Where the installed package keeps the sources of its core, for programs in C and C++."""

from __future__ import annotations

from pathlib import Path

from rlcompress.errors import MissingFileError


def cpp_folder(name: str) -> Path:
    """A folder of the sources that the wheel carries.

    Args:
        name: "include" (headers) or "cmake" (the package for `find_package`).

    Returns:
        Its absolute path.

    Raises:
        MissingFileError: the package was not installed from a wheel.
    """
    folder = Path(__file__).resolve().parents[1] / "cpp" / name
    if not folder.is_dir():
        raise MissingFileError(
            f"{folder}: the folder of an installed wheel expected, found none; "
            "pip install the package, or point CMake at a clone with add_subdirectory()"
        )
    return folder
