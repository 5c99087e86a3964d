"""What a media file really holds. Every file is hostile until it is probed."""
