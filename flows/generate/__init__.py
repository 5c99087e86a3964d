"""One shot to one clip: attach to the attempt that the ledger knows, or buy."""
