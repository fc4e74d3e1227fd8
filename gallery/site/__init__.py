"""Records -> fragments -> pages -> the site, and what is checked of it."""
