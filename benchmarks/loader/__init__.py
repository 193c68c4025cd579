"""Records for loaders, their check, and the limit of loading."""
