# SPDX-License-Identifier: Apache-2.0
"""`postern top`: on a real terminal (tmux), and once for scripts."""
import contextlib
import json
import re
import signal
import subprocess
import uuid

import pytest

from client import Client, eventually
from postern import PROGRAM


class Terminal:
    """A tmux of one's own, with one pane of some size."""

    def __init__(self, *command, columns=80, rows=24):
        self.socket = f"postern-{uuid.uuid4().hex}"
        words = " ".join(f"'{each}'" for each in command)
        # The shell is there to tell how the terminal was left.
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns),
                  "-y", str(rows), f"{words}; echo ended $?; stty -a; cat")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", self.socket, *words], check=True,
                              capture_output=True, text=True).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p").split("\n")

    def text(self):
        return "\n".join(self.screen())

    def wait_for(self, pattern):
        eventually(lambda: re.search(pattern, self.text(), re.MULTILINE), 15,
                   f"{pattern!r} is not shown")
        return self.text()

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def program(self):
        """The process id of the postern in it."""
        shell = self.tmux("list-panes", "-F", "#{pane_pid}").strip()
        children = subprocess.run(["pgrep", "-P", shell, "postern"],
                                  capture_output=True, text=True).stdout
        return int(children.split()[0])

    def stop(self):
        subprocess.run(["tmux", "-L", self.socket, "kill-server"],
                       capture_output=True)


@pytest.fixture
def terminal():
    with contextlib.ExitStack() as stack:
        def open_one(postern, *words, **size):
            one = Terminal(PROGRAM, "-c", postern.directory, "top", *words,
                           **size)
            stack.callback(one.stop)
            return one
        yield open_one


@pytest.fixture
def open_sessions(make_postern, make_backend):
    """A Postern with sessions open: one in relay, one at the gate."""
    postern = make_postern(make_backend()).start()
    with postern.secured() as relayed, Client(postern.port) as idle:
        relayed.mail()
        idle.greeting()
        yield postern


def page(postern, *words):
    result = postern.verb("top", "--once", *words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_once_as_json(open_sessions):
    postern = open_sessions
    seen = json.loads(page(postern, "--json"))
    assert seen["master"] == postern.process.pid
    assert seen["sessions_open"] == 2
    assert seen["workers"] == 1
    assert seen["counters"]["messages"]["total"] == 1
    assert seen["forward_secrecy"] == 1.0
    assert [each["name"] for each in seen["groups"]] == ["X25519"]
    [backend] = seen["backends"]
    assert (backend["up"], backend["sessions"]) == (True, 1)
    assert backend["connects"] >= 2  # the session, and a health check
    [client] = seen["clients"]
    assert client["address"] == "127.0.0.1"
    assert (client["sessions"], client["messages"], client["in_clear"],
            client["without_forward_secrecy"]) == (2, 1, 1, 0)
    assert client["bytes"] > 1000


@pytest.mark.parametrize("text, matched", [
    ("127.0.0", 2), ("relay", 1), ("X25519", 1), ("nobody", 0)])
def test_once_with_a_filter(open_sessions, text, matched):
    seen = json.loads(page(open_sessions, "--json", "--filter", text))
    assert seen["sessions_matched"] == matched
    assert sum(each["sessions"] for each in seen["clients"]) == matched


def test_once_as_text(open_sessions):
    text = page(open_sessions)
    assert re.search(r"^postern top .* generation 1  workers 1 ", text)
    assert re.search(r"^Sessions +2 open ", text, re.MULTILINE)
    assert re.search(r"^127\.0\.0\.1 +2 +1 ", text, re.MULTILINE)
    assert re.search(r"^X25519 .*  up ", text, re.MULTILINE)


def test_sorted(open_sessions):
    postern = open_sessions
    with Client(postern.port) as client:
        client.greeting()
        for sort in ("sessions", "bytes", "messages", "age"):
            assert "127.0.0.1" in page(postern, "--sort", sort)
    assert postern.verb("top", "--once", "--sort", "x").returncode == 64


def test_on_a_terminal_of_80_by_24(open_sessions, terminal):
    screen = terminal(open_sessions)
    text = screen.wait_for(r"^127\.0\.0\.1 +2 ")
    lines = text.split("\n")
    assert lines[0].startswith("postern top ")
    assert re.match(r"Secrecy +100\.0% forward secret", lines[3])
    assert "q quit  s sort by sessions  / filter  2 of 2 sessions" in text
    screen.type("s")
    screen.wait_for("s sort by bytes")
    screen.type("/")
    screen.type("relay")
    screen.wait_for("Filter: relay_")
    screen.type("Enter")
    screen.wait_for("/ filter: relay  1 of 2 sessions")
    screen.type("Escape")
    screen.wait_for("/ filter  2 of 2 sessions")
    screen.type("q")
    screen.wait_for("^ended 0")
    ended = screen.wait_for("noflsh")  # of stty, behind it
    assert re.search(r"(?<!-)\becho\b", ended)
    assert re.search(r"(?<!-)\bicanon\b", ended)


def test_resized(open_sessions, terminal):
    screen = terminal(open_sessions)
    screen.wait_for(r"^127\.0\.0\.1 +2 ")
    screen.tmux("resize-window", "-x", "40", "-y", "6")
    eventually(lambda: screen.screen()[5].startswith("q quit"), 10,
               "the foot is not in the last line")
    screen.tmux("resize-window", "-x", "120", "-y", "30")
    screen.wait_for(r"^127\.0\.0\.1 +2 .*127\.0\.0\.1:\d+$")
    eventually(lambda: screen.screen()[29].startswith("q quit"), 10,
               "the foot is not in the last line")


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_a_signal_leaves_the_terminal_in_order(open_sessions, terminal, number):
    screen = terminal(open_sessions)
    screen.wait_for(r"^127\.0\.0\.1 +2 ")
    subprocess.run(["kill", f"-{int(number)}", str(screen.program())],
                   check=True)
    screen.wait_for("^ended 0")
    ended = screen.wait_for(r"-extproc\b")  # the last word of stty
    assert re.search(r"(?<!-)\becho\b", ended)
    assert re.search(r"(?<!-)\bicanon\b", ended)


def test_a_postern_that_is_started_anew_is_seen(make_postern, terminal):
    postern = make_postern().start()
    screen = terminal(postern)
    screen.wait_for("^postern top ")
    assert postern.stop() == 0
    screen.wait_for("^STOPPED  q quit")
    postern.start()
    screen.wait_for("^q quit")


def test_without_a_terminal(make_postern):
    postern = make_postern()
    postern.write()
    result = postern.verb("top", "--once")
    assert result.returncode == 1
    assert "not running" in result.stderr
    postern.start()
    result = postern.verb("top")
    assert result.returncode == 1
    assert "it wants a terminal; see --once" in result.stderr
