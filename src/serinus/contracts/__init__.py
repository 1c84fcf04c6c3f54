"""The vocabulary that several rooms share: wire types, names of headers, cookies, labels, metrics."""
