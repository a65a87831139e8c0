"""The command line: ``python -m nn train table.csv --target column``, then ``predict`` and ``report``; ``sweep``."""
