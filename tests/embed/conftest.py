"""The example program by each of the ways to the library. Each library is built once in a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from embed.builds import EXAMPLE, ROOT, SUBDIRECTORY, build, example_alone, need_compiler, run, tool, wheel_cmake_dir


@pytest.fixture(scope="session")
def subdirectory_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs, in a project that adds this one with `add_subdirectory`."""
    need_compiler()
    folder = tmp_path_factory.mktemp("subdirectory")
    text = SUBDIRECTORY.format(root=ROOT.as_posix(), example=EXAMPLE.as_posix())
    (folder / "CMakeLists.txt").write_text(text, encoding="utf-8")
    return build(folder, folder / "build", "-DRLCOMPRESS_INSTALL=ON")


@pytest.fixture(scope="session")
def prefix(subdirectory_app: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `cmake --install` put the library; moved after that, as a package manager might."""
    folder = tmp_path_factory.mktemp("install")
    run(tool("cmake"), "--install", subdirectory_app, "--prefix", folder / "first")
    return (folder / "first").rename(folder / "moved")


@pytest.fixture(scope="session")
def installed_app(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs, configured by `find_package` from an installation that has no Python in it, and linked
    as for a device.
    """
    folder = tmp_path_factory.mktemp("installed")
    settings = (f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--gc-sections")
    return build(example_alone(folder / "sources"), folder / "build", *settings)


@pytest.fixture(scope="session")
def wheel_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs, configured by `find_package` from the wheel, with flags that would change results.

    Without the vector instruction sets: that is an option of the package, and four times sooner built.
    """
    need_compiler()
    folder = tmp_path_factory.mktemp("wheel")
    return build(
        example_alone(folder / "sources"),
        folder / "build",
        f"-Drlcompress_DIR={wheel_cmake_dir()}",
        "-DCMAKE_CXX_FLAGS=-ffast-math",
        "-DRLCOMPRESS_SCALAR_ONLY=ON",
    )
