"""Computations on counts and samples: pure, without input or output."""
