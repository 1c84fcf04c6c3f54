"""Vocabulary of several rooms: wire types, names of headers, cookies, labels and metrics."""
