"""What several test folders need: real servers, started and ended by their own process id."""
