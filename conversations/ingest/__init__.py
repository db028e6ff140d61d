"""From the webhook to the pipeline: durable first, then understood."""
