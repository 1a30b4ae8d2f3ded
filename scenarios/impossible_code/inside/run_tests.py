"""Runs the tests of this folder: python3 run_tests.py

Prints a line for each test, how many passed and failed, and at the end the word it was given on stdin.
"""

import glob
import importlib
import sys
import traceback


def main() -> int:
    word = sys.stdin.readline().strip()
    passed = failed = 0
    for file in sorted(glob.glob("test_*.py")):
        module = importlib.import_module(file[:-3])
        for name, test in list(vars(module).items()):
            if not name.startswith("test_"):
                continue
            try:
                test()
            except Exception as error:
                failed += 1
                where = traceback.extract_tb(error.__traceback__)[1]
                print(f"FAIL {name}: {where.line}: {type(error).__name__} {error}".rstrip())
            else:
                passed += 1
                print(f"PASS {name}")
    print(f"{passed} passed, {failed} failed")
    print(f"completed {word}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
