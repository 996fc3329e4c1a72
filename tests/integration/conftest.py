# SPDX-License-Identifier: Apache-2.0
"""Fixtures: certificates, Posterns, backends, a Postfix. Run by tests/run."""
import os
import pathlib
import tempfile

import pytest

import certificates
from backend import Backend
from peers import Postfix
from postern import PROGRAM, Postern


def pytest_configure():
    if not PROGRAM.exists():
        pytest.exit(f"{PROGRAM} is not built; tests/run builds it", 4)
    if os.geteuid() != 0:
        pytest.exit("workers change their user, so this must run as root", 4)


def pytest_generate_tests(metafunc):
    if "features" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_rings")
        metafunc.parametrize(
            "features", ["auto", "baseline"] if both else ["auto"], ids=str)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    """Lets fixtures see whether the test failed."""
    outcome = yield
    report = outcome.get_result()
    setattr(item, f"report_{report.when}", report)


@pytest.fixture
def scratch():
    """A short path that unprivileged processes can reach."""
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        directory = pathlib.Path(path)
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def certificate(keys):
    return certificates.Certificate(keys, "mx.example.test")


@pytest.fixture(scope="session")
def other_certificate(keys):
    return certificates.elliptic(keys, "other.example.test")


@pytest.fixture
def make_backend():
    made = []

    def make(**options):
        made.append(Backend(**options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def backend(make_backend):
    return make_backend()


@pytest.fixture
def make_postern(request, scratch, certificate, features):
    """Makes Posterns that are not yet started; each must end without fault."""
    made = []

    def make(*backends, settings=None, listeners=None):
        directory = scratch / f"postern-{len(made)}"
        directory.mkdir()
        one = Postern(directory, certificate, backends or ["builtin:sink"],
                      features)
        one.settings.update(settings or {})
        if listeners:
            one.listeners = listeners
        made.append(one)
        return one

    yield make
    called = getattr(request.node, "report_call", None)
    failed = called is None or called.failed
    for one in made:
        if failed:
            print(f"--- output of {one.directory}\n{one.text()[-8000:]}")
            one.stop()
        else:
            one.assert_clean()


@pytest.fixture
def postern(make_postern):
    """Before builtin:sink, one listener with level may."""
    return make_postern().start()


@pytest.fixture
def fronted(make_postern, backend):
    """Before a scripted backend, one listener with level may."""
    return make_postern(backend).start()


@pytest.fixture
def make_postfix(scratch):
    made = []

    def make(**options):
        directory = scratch / f"postfix-{len(made)}"
        directory.mkdir()
        made.append(Postfix(directory, **options))
        return made[-1].start()

    yield make
    for one in made:
        one.stop()
