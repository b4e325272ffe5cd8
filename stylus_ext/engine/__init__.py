"""The door of the engine process: HTTP on loopback, schemas, jobs."""
