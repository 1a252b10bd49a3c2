"""What is watched while traffic is on green: the slots, the live weights, the gates."""
