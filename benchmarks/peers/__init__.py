"""What people usually write: the peers that model-service is measured against."""
