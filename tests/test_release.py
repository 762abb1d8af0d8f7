"""What would be published is built and looked at; `make release` also installs it into empty environments."""

import importlib.util
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import db3kd

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_holds_the_package_whole_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src/db3kd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if ".dist-info/" not in name} == source


def test_the_version_stands_in_one_place(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    told = Parser().parsestr(archive.read(metadata).decode())
    assert told["Version"] == db3kd.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text()
    assert set(told.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])


def test_the_sdist_holds_what_its_own_tests_and_pages_read(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    read = {"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "Makefile", "constraints.txt"}
    assert read <= names
    for folder in ("docs", "records", "benchmarks", "tests", "tools"):
        there = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        assert {name for name in there if "__pycache__" not in name} <= names
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "records").glob("*/README.md")} <= names


@pytest.mark.timeout(300)
def test_the_wheel_is_imported_and_called_where_the_checkout_is_not(built: Path, tmp_path: Path) -> None:
    """Its dependencies are those that are installed here; `make release` installs them too."""
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        f"import sys; sys.path[:] = [{str(tmp_path / 'installed')!r}, *(p for p in sys.path if 'site-packages' in p or "
        "'lib/python' in p or p.endswith('.zip'))]\n"
        "import db3kd; assert db3kd.__file__.startswith(sys.path[0]), db3kd.__file__\n"
        "for name in db3kd.__all__: getattr(db3kd, name)\n"
        "from db3kd.cli import main; main(['distill', '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--budget" in done.stdout


def test_every_extra_for_users_is_tried_by_the_release() -> None:
    described = importlib.util.spec_from_file_location("release", ROOT / "tools/release.py")
    assert described is not None
    assert described.loader is not None
    release = importlib.util.module_from_spec(described)
    described.loader.exec_module(release)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(release.extras()) == {*project["optional-dependencies"]} - {"dev", "docs"}
