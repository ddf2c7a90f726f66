"""Two models behind one URL, half of the users each, and who won."""
