"""Records as typed columns: values, Arrow tables, what waits for a commit, what cannot be a row."""
