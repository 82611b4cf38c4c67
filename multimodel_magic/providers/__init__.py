"""One file a vendor; nothing else in the package imports a vendor SDK."""
