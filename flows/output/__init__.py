"""What goes along with the film: for an editor, for a quick look, and to say how it was made."""
