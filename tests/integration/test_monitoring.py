# SPDX-License-Identifier: Apache-2.0
"""What one installs beside Postern: rules for Prometheus, a board for Grafana.
They name the metrics that there are, and all of them."""
import json
import re
import subprocess

import pytest

from peers import prometheus_program
from ports import free_port
from postern import ROOT
from test_metrics import Page

PROMETHEUS = ROOT / "conf" / "dist" / "prometheus"
BOARD = ROOT / "conf" / "dist" / "grafana" / "postern.json"
ROW = re.compile(
    r"^(COUNTER|GAUGE|HISTOGRAM|ROWS|COMPUTED)\((\w+),\s*(\w*)", re.MULTILINE)


def families():
    """The names of the table, as they are scraped; a histogram's parts too."""
    found = {}
    for kind, symbol, second in ROW.findall(
            (ROOT / "proxy" / "metrics.def").read_text()):
        if kind == "COMPUTED":
            kind = second
        name = f"postern_{symbol}"
        if kind in ("COUNTER", "ROWS"):
            name += "_total"
        parts = ([f"{name}_{part}" for part in ("bucket", "sum", "count")]
                 if kind == "HISTOGRAM" else [name])
        found[name] = set(parts)
    assert len(found) > 30
    return found


def names_in(text):
    """Not those that rules make, which have a colon."""
    return set(re.findall(r"(?<![\w:/.])postern_[a-z0-9_]+", text))


def promtool(*words, **options):
    return subprocess.run([prometheus_program("promtool"), *words],
                          capture_output=True, text=True, timeout=60, **options)


def panels():
    return [panel for panel in json.loads(BOARD.read_text())["panels"]
            if panel["type"] != "row"]


def expressions():
    return [target["expr"] for panel in panels()
            for target in panel["targets"]]


@pytest.mark.parametrize("words", [
    ("check", "config", PROMETHEUS / "prometheus.yml"),
    ("check", "rules", PROMETHEUS / "postern.rules.yml"),
    ("test", "rules", ROOT / "tests" / "integration" / "rules_test.yml")],
                         ids=lambda words: " ".join(map(str, words[:2])))
def test_promtool(words):
    result = promtool(*words)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SUCCESS" in result.stdout


def test_the_rules_name_metrics_that_there_are():
    parts = set.union(*families().values())
    text = (PROMETHEUS / "postern.rules.yml").read_text()
    assert names_in(text) - parts == set()


def test_the_board_names_metrics_that_there_are():
    parts = set.union(*families().values())
    assert names_in(BOARD.read_text()) - parts == set()


def test_each_metric_has_a_panel():
    shown = names_in("\n".join(expressions()))
    assert [name for name, parts in families().items()
            if not parts & shown] == []


def test_each_alert_is_tested_or_plain():
    """An alert that computes has a case of its own among the tests."""
    rules = (PROMETHEUS / "postern.rules.yml").read_text()
    cases = (ROOT / "tests" / "integration" / "rules_test.yml").read_text()
    recorded = re.findall(r"- record: (\S+)", rules)
    assert recorded
    for alert in re.split(r"- alert: ", rules)[1:]:
        name = alert.split()[0]
        if any(each in alert for each in recorded):
            assert f"alertname: {name}" in cases, name


def test_the_board_is_queries_that_work(tmp_path):
    """Each as a rule, with Grafana's variables filled in."""
    rules = [{"record": f"board:{number}", "expr": each
              .replace("$__rate_interval", "5m")
              .replace("$instance", ".*").replace("$listener", ".*")}
             for number, each in enumerate(expressions())]
    path = tmp_path / "board.yml"
    path.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    result = promtool("check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules)} rules found" in result.stdout


def test_the_board_is_in_order():
    board = json.loads(BOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
    variables = {each["name"] for each in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", BOARD.read_text()))
    assert used - variables <= {"__rate_interval", "__all"}


def test_what_is_summed_by_is_a_label(make_postern):
    """Of a running Postern's page, once it has samples of the family."""
    port = free_port()
    postern = make_postern(settings={
        "proxy_metrics_listen": f"127.0.0.1:{port}"}).start()
    with postern.secured() as client:
        client.mail()
        client.quit()
    postern.settle()
    labels = {}
    for name, pairs in Page(port).samples:
        labels.setdefault(name, set()).update(pair[0] for pair in pairs)
    rules = (PROMETHEUS / "postern.rules.yml").read_text()
    sums = re.findall(
        r"by \(([^)]*)\)\s*\((?:(?:rate|increase)\()?(postern_[a-z0-9_]+)",
        rules + "\n".join(expressions()))
    assert len(sums) > 60
    for by, name in sums:
        if name in labels:
            asked = {each.strip() for each in by.split(",")} - {"instance"}
            assert asked <= labels[name], name
    matched = re.findall(r"(postern_[a-z0-9_]+)\{([^}]*)\}",
                         rules + "\n".join(expressions()))
    for name, selector in matched:
        if name in labels:
            asked = set(re.findall(r"(\w+)(?:=|!)", selector)) - {"instance"}
            assert asked <= labels[name], name
