"""Error messages, warnings for common mistakes, and `detect_anomaly`."""
