"""Run the tests of the package: python3 python/tests. tests/check_python calls it with what they need.

Ends with "N passed, N failed", and ", N skipped" where some were.
"""

import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
here = Path(__file__).parent
sys.path[:0] = [str(here.parent), str(here)]

suite = unittest.defaultTestLoader.discover(str(here))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
failed = {test.id().partition(" ")[0] for test, _ in result.failures + result.errors}
for test, reason in result.skipped:
    print(f"SKIPPED {test.id()}: {reason}")
passed = result.testsRun - len(failed) - len(result.skipped)
line = f"{passed} passed, {len(failed)} failed"
print(f"{line}, {len(result.skipped)} skipped" if result.skipped else line)
sys.exit(0 if result.wasSuccessful() else 1)
