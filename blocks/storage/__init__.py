"""Where clips live: a folder or an object store."""
