"""The `celaje` command: starts clouds and shows what they do. One file a command."""
