# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian packages, unpacked for us alone and never installed.

No service is made, started or reconfigured: the packages' own scripts do not
run. What the host has installed is used as libraries where it fits.
"""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "peers"


class Missing(Exception):
    """A program that cannot be had; the text says why."""


def _needed(packages):
    """With all that they need and this machine lacks. -s: only pretended."""
    result = subprocess.run(
        ["apt-get", "-s", "-q", "-o", "Debug::NoLocking=1", "install",
         "--no-install-recommends", *packages],
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = re.findall(r"^Inst (\S+)", result.stdout, re.M)
    if result.returncode:
        raise Missing("apt-get knows no " + " ".join(packages))
    return sorted({*packages, *found})


def _unpack(tree, packages):
    scratch = CACHE / f"download-{tree.name}"
    partial = CACHE / f"partial-{tree.name}"
    for directory in (scratch, partial):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    download = subprocess.run(
        ["apt-get", "-q", "download", *_needed(packages)], cwd=scratch,
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if download.returncode:
        raise Missing("cannot download " + " ".join(packages))
    for package in sorted(scratch.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, partial], check=True)
    partial.rename(tree)
    shutil.rmtree(scratch)


def tree_of(name, packages):
    """Where the packages are unpacked; tests/integration shares it."""
    tree = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"lock-{name}", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            _unpack(tree, packages)
    return tree


def library_path(tree):
    triplet = os.uname().machine + "-linux-gnu"
    parts = [f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib/dovecot",
             "usr/lib/postfix"]
    return ":".join(str(tree / part) for part in parts
                    if (tree / part).is_dir())


def version_of(package):
    """Of what was unpacked, as its documentation folder tells."""
    path = tree_of(package, []) / "usr/share/doc" / package
    for changelog in path.glob("changelog*gz"):
        result = subprocess.run(["zcat", changelog], capture_output=True)
        match = re.match(rb"\S+ \(([^)]+)\)", result.stdout)
        if match:
            return match[1].decode()
    return ""
