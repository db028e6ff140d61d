"""What Django lacks, one module per thing, no models."""
