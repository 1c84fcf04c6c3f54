"""The three services of the application; each runs as a process of its own."""
