"""A real llama.cpp server that embeds, as a process: arguments are model file and alias."""

import signal
import sys
import threading

import xllamacpp

TOKENS = 512


def main() -> None:
    """Serve on a port of the kernel's choice until SIGTERM."""
    path, alias = sys.argv[1:]
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.model_alias = path, {alias}
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.cpuparams.n_threads, parameters.n_threads_http = 1, 2
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = TOKENS
    parameters.endpoint_props = True
    parameters.embedding = True
    # What OpenAI calls an embedding is one vector a text, not one a token.
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    stop = threading.Event()
    server = xllamacpp.Server(parameters)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print(f"listening on {server.listening_address}", file=sys.stderr, flush=True)
    stop.wait()


if __name__ == "__main__":
    main()
