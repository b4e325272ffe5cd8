"""The catalogue on disk, in SQLite."""
