"""The real llama.cpp server of the demo, started with an API key: KEY MODEL_FILE PORT ALIAS."""

import sys

import xllamacpp

from cli import demo_engine

KEY = sys.argv.pop(1)


class KeyedParams(xllamacpp.CommonParams):
    """What the demo sets, and the key."""

    def __init__(self) -> None:
        super().__init__()
        self.api_keys = [KEY]


if __name__ == "__main__":
    xllamacpp.CommonParams = KeyedParams
    demo_engine.main()
