"""How the package finds its library, and what it says where it does not."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import skiplane
from skiplane import _library

PACKAGE = Path(skiplane.__file__).parent
COMPILER = shlex.split(os.environ.get("CC", "cc"))
LIBRARY = Path(_library.lib._name).resolve()


def use(path, **environment):
    """Import the package that is in a folder, in a process of its own, and print its library's name and version."""
    code = "import skiplane; print(skiplane._library.lib._name, skiplane.version())"
    inherited = {name: value for name, value in os.environ.items() if name != "SKIPLANE_LIBRARY"}
    return subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={**inherited, "PYTHONPATH": str(path), **environment},
        capture_output=True,
        text=True,
    )


class Package(unittest.TestCase):
    def assert_uses(self, result, name):
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout.split(), [str(name), skiplane.version()])

    def assert_refuses(self, result, *words):
        self.assertNotEqual(result.returncode, 0)
        message = result.stderr.strip().splitlines()[-1]
        self.assertTrue(message.startswith("ImportError: "), message)
        for word in words:
            self.assertIn(word, message)

    def test_library_named(self):
        self.assert_uses(use(PACKAGE.parent, SKIPLANE_LIBRARY=str(LIBRARY)), LIBRARY)
        self.assert_refuses(use(PACKAGE.parent, SKIPLANE_LIBRARY="/nowhere/lib.so"), "SKIPLANE_LIBRARY=/nowhere/lib.so")
        self.assert_refuses(use(PACKAGE.parent, SKIPLANE_LIBRARY=__file__), "SKIPLANE_LIBRARY=", Path(__file__).name)

    def test_library_beside_the_package(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "skiplane"
            shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
            (copy / _library._SONAME).symlink_to(LIBRARY)
            self.assert_uses(use(folder), copy / _library._SONAME)

    def test_library_of_the_system(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / _library._SONAME).symlink_to(LIBRARY)
            self.assert_uses(use(PACKAGE.parent, LD_LIBRARY_PATH=folder), _library._SONAME)

    def test_no_library(self):
        with tempfile.TemporaryDirectory() as folder:
            broken = Path(folder) / _library._SONAME
            broken.write_text("no library")  # before any that the system has
            self.assert_refuses(use(PACKAGE.parent, LD_LIBRARY_PATH=folder), _library._SONAME, "SKIPLANE_LIBRARY")

    @unittest.skipUnless(shutil.which(COMPILER[0]), f"there is no C compiler {COMPILER[0]}")
    def test_other_libraries(self):
        major, minor, patch = map(int, skiplane.__version__.split("."))
        with tempfile.TemporaryDirectory() as folder:
            for body, words in {
                f'const char *sk_version(void) {{ return "{major + 1}.0.0"; }}': [f"version {major + 1}.0.0, expected"],
                'const char *sk_version(void) { return "0.0.1"; }': ["version 0.0.1, expected"],
                f'const char *sk_version(void) {{ return "{major}.{minor + 1}.0"; }}': ["sk_error_message"],
                f'const char *sk_version(void) {{ return "{major}.{minor}.{patch}"; }}': ["sk_error_message"],
                "int other;": ["sk_version"],
            }.items():
                source, library = Path(folder) / "other.c", Path(folder) / "other.so"
                source.write_text(body)
                subprocess.run([*COMPILER, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
                self.assert_refuses(use(PACKAGE.parent, SKIPLANE_LIBRARY=str(library)), str(library), *words)

    def test_all_names_are_there(self):
        self.assertEqual(sorted(skiplane.__all__), skiplane.__all__)
        for name in skiplane.__all__:
            self.assertTrue(getattr(skiplane, name).__doc__ or name == "__version__", name)

    def test_isas(self):
        self.assertIn("generic", skiplane.isas())
        self.assertLessEqual(set(skiplane.isas()), set(skiplane.isas(built=True)))
        self.assertIn(skiplane.choose_isa(), skiplane.isas())
        self.assertEqual(skiplane.choose_isa("generic"), "generic")


if __name__ == "__main__":
    unittest.main()
