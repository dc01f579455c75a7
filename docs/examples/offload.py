"""Hands a simple subtask to whoever is up to it, by what `GET /v1/models` tells alone.

    python offload.py http://127.0.0.1:8800 "Give this note a title: ..."

Needs nothing but Python. A client key, where one is needed, is in GENIEHIVE_API_KEY.
"""

import json
import os
import sys
import urllib.request

SUITABILITY = [
    "good_for_low_complexity",
    "usable_for_background_tasks",
    "available_but_slow",
    "cold_only",
]
# A role goes on working when models and machines behind it change.
ROUTE_TYPES = ["role", "service", "asset"]


def ask(url, body=None):
    """Return what the gateway answers, as JSON."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("GENIEHIVE_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=120) as answer:
        return json.load(answer)


def preference(model):
    """Return a key that sorts the best model first."""
    told = model["geniehive"]
    hint = told["offload_hint"]
    latency_ms = hint["inference_basis"]["best_p50_latency_ms"]
    return (
        SUITABILITY.index(hint["suitability"]),
        ROUTE_TYPES.index(told["route_type"]),
        float("inf") if latency_ms is None else latency_ms,
        model["id"],
    )


def pick(models):
    """Return the model to ask, None when there is none.

    Passed over: a role that nobody serves, and while control is away, all of them.
    """
    able = [
        model
        for model in models
        if model["geniehive"]["services"] and "offload_hint" in model["geniehive"]
    ]
    return min(able, key=preference, default=None)


def main(url, task):
    """Ask the best model for the task."""
    model = pick(ask(f"{url}/v1/models?operation=chat")["data"])
    if model is None:
        sys.exit("no model can be asked now")
    suitability = model["geniehive"]["offload_hint"]["suitability"]
    print(f"{model['id']} ({suitability})", file=sys.stderr)
    messages = [{"role": "user", "content": task}]
    answer = ask(
        f"{url}/v1/chat/completions",
        {"model": model["id"], "messages": messages, "max_tokens": 64},
    )
    print(answer["choices"][0]["message"]["content"])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('usage: python offload.py http://HOST:PORT "TASK"')
    main(*sys.argv[1:])
