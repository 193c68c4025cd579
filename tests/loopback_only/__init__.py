"""What keeps the tests, and every Python that they start, to loopback."""
