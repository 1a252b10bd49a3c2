"""What a deployment changes besides traffic, and how it is put back."""
