"""One channel a file: a delivery in, a classified outcome out."""
