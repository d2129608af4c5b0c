"""The people's side: routes, pages, notifications, one channel a file."""
