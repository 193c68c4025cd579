"""What comes in: lines, files of BATCH messages, schemas, state."""
