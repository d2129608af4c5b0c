"""What stormfold promises, seen from outside: real monitoring systems in front of it, a receiver behind it."""
