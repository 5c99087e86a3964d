"""The services that make clips, and what all of them share."""
