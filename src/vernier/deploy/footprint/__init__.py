"""What a network costs on a device: flash, RAM, operations."""
