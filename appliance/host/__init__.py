"""The box itself: checks, first boot, console."""
