"""Scripts that record other libraries' numbers need those libraries; they are no tests."""

collect_ignore_glob = ["record_*.py"]
