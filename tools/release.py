"""Build sdist and wheel into dist/, check them, and install the wheel into empty environments: `make release`.

One environment has no extra, and one each has an extra alone and sees what the first has, so that torch is installed
once; all is pinned by constraints.txt. In each, `import db3kd` and the help of every command must work. That downloads
a few GB at first. `make release PYTHONS="python3.11 python3.13"` does it with each of these.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
# They are for working on a checkout, and bring nothing that a user imports.
_OF_A_CHECKOUT = {"dev", "docs"}
_TRY = """
import subprocess, sys
from pathlib import Path
import db3kd
from db3kd.cli.app import COMMANDS
for name in db3kd.__all__:
    getattr(db3kd, name)
program = str(Path(sys.executable).with_name("db3kd"))
for words in [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)]:
    subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)
assert "site-packages" in db3kd.__file__, db3kd.__file__
"""


def build(folder: Path) -> Path:
    """Build both and give the wheel, which is made from the sdist."""
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as unpacked:
        shutil.unpack_archive(sdist, unpacked, filter="data")
        (tree,) = Path(unpacked).iterdir()
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=tree)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check(files: Sequence[Path]) -> None:
    """Have twine look at both, in an environment of its own: it brings much that nothing else needs."""
    with tempfile.TemporaryDirectory() as folder:
        _run(sys.executable, "-m", "venv", folder)
        pip = (f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input")
        _run(*pip, "-c", str(ROOT / "constraints.txt"), "twine>=7,<8")
        _run(f"{folder}/bin/python", "-m", "twine", "check", "--strict", *map(str, files))


def extras() -> list[str]:
    """Name the extras for users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sorted(set(project["optional-dependencies"]) - _OF_A_CHECKOUT)


def install(wheel: Path, extra: str, interpreter: str, folder: Path, base: Path | None = None) -> None:
    """Install the wheel with an extra into an empty environment that may see another one, and try it."""
    _run(interpreter, "-m", "venv", str(folder))
    if base is not None:
        (own,), (seen,) = folder.glob("lib/*/site-packages"), base.glob("lib/*/site-packages")
        (own / "base.pth").write_text(f"{seen}\n")
    python = str(folder / "bin/python")
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    install = (*pip, "install", "--quiet", "--no-input", "-c", str(ROOT / "constraints.txt"))
    _run(*install, "--no-deps", "--ignore-installed", str(wheel))
    _run(*install, f"{wheel}[{extra}]" if extra else str(wheel))
    _run(*pip, "check")
    # Outside of the checkout, where the installed package alone can be found.
    _run(python, "-c", _TRY, cwd=folder)


def _run(*words: str, cwd: Path | None = None) -> None:
    subprocess.run(words, check=True, cwd=cwd)


def main() -> None:
    """Do all of it; the first thing that fails ends it."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("extras", nargs="*", default=extras(), help="to install alone; all by default")
    asked.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters to install with")
    wanted = asked.parse_args()
    wheel = build(DIST)
    check(sorted(DIST.iterdir()))
    for interpreter in wanted.python:
        with tempfile.TemporaryDirectory() as place:
            base = Path(place, "base")
            print(f"{interpreter}: with no extra", flush=True)
            install(wheel, "", interpreter, base)
            for extra in wanted.extras:
                print(f"{interpreter}: with the extra {extra}", flush=True)
                install(wheel, extra, interpreter, Path(place, extra), base)


if __name__ == "__main__":
    main()
