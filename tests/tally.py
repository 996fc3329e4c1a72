# SPDX-License-Identifier: Apache-2.0
"""Counts a test report: prints "PASSED FAILED". Usage: tally.py junit|tap FILE."""
import re
import sys
import xml.etree.ElementTree as ElementTree


def junit(path):
    passed = failed = 0
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed += 1
        elif "skipped" not in kinds:
            passed += 1
    return passed, failed


def tap(path):
    """A plan that was not fulfilled counts as one failure."""
    passed = failed = 0
    planned = None
    with open(path, encoding="utf-8", errors="replace") as report:
        for line in report:
            plan = re.match(r"1\.\.(\d+)", line)
            if plan:
                planned = int(plan[1])
            elif line.startswith("ok"):
                passed += 1
            elif line.startswith("not ok"):
                failed += 1
    if planned is None or planned != passed + failed:
        failed += 1
    return passed, failed


if __name__ == "__main__":
    print(*{"junit": junit, "tap": tap}[sys.argv[1]](sys.argv[2]))
