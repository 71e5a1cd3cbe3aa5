"""Tools for those who write plugins: a package to start from, and a run whose hook calls are shown."""
