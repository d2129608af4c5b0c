"""The brain: windows, label rules, incidents, priority, timers."""
