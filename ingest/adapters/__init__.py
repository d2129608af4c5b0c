"""One adapter a file, all of one shape: the vendor's bytes in, normalised alerts and refusals out."""
