"""Records changed on their way, only where the settings ask for it."""
