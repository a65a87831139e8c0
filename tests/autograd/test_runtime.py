"""What the interpreter does beside a computation: garbage collection, forks, Ctrl-C."""

import gc
import os
import signal
import threading
import warnings

import pytest

from autograd.runtime import deferred_interrupt, reentrant_lock, uncollected


def test_ctrl_c_is_deferred_in_the_main_thread():
    with deferred_interrupt() as pressed:
        assert not pressed()
        signal.raise_signal(signal.SIGINT)
        assert pressed()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_second_ctrl_c_raises_if_asked():
    with deferred_interrupt() as pressed:
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        assert pressed()
    with deferred_interrupt(second=True) as pressed:
        signal.raise_signal(signal.SIGINT)
        assert pressed()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_is_not_deferred_in_another_thread():
    found = []

    def enter():
        with deferred_interrupt() as pressed:
            found.append((pressed(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [(False, signal.default_int_handler)]


def test_garbage_collector_is_off_in_the_block_only():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked on this system")
def test_lock_of_another_thread_is_free_in_a_forked_process():
    lock, own, held, done = reentrant_lock(), reentrant_lock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    with own, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a process with several threads is forked
        child = os.fork()
        if child == 0:
            os._exit(0 if lock.acquire(blocking=False) and own._is_owned() else 1)
    done.set()
    thread.join()
    assert os.waitpid(child, 0) == (child, 0)
