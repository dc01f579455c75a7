"""Control as a process that scrapers read, and whose log programs read."""

import json
import re

import httpx

from tests.processes import Spawn

METRICS = re.compile(r"metrics at (http://\S+/metrics)")


def settings(folder, **more: object) -> dict[str, object]:
    storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
    return {"listen": "127.0.0.1:0", "storage": storage, **more}


def test_control_is_scraped_with_the_key_of_an_operator(tmp_path, spawn: Spawn):
    control = spawn(
        "control",
        settings(
            tmp_path,
            metrics={"listen": "127.0.0.1:0"},
            auth={"operator_api_keys": ["op"]},
            log={"format": "json"},
        ),
    )
    control.wait_for_log(re.compile("listening on"))
    lines = [json.loads(line) for line in control.logged().splitlines()]
    url = next(found[1] for line in lines if (found := METRICS.search(line["message"])))

    assert all(line["time"].endswith("Z") for line in lines)
    assert httpx.get(url, trust_env=False).status_code == 401
    answer = httpx.get(url, headers={"authorization": "Bearer op"}, trust_env=False)
    assert "geniehive_control_watchers 0.0" in answer.text.splitlines()


def test_metrics_beyond_this_machine_need_a_key(tmp_path, spawn: Spawn):
    control = spawn("control", settings(tmp_path, metrics={"listen": "0.0.0.0:0"}))

    assert control.process.wait(30) == 2
    assert "error: metrics.listen 0.0.0.0:0 tells everybody" in control.logged()
