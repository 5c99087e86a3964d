"""Keeping an installation in order: what may be removed, copies, numbers for a monitor."""
