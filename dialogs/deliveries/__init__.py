"""What the page of deliveries asks before it acts."""
