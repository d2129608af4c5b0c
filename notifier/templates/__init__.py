"""Templates of titles and bodies, as package data."""
