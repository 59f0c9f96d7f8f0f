"""What a person sees. Thin: read inputs, start a job, show the result."""
