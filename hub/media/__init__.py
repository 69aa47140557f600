"""Files by the SHA-256 of their bytes: in a folder, or in a store that speaks S3."""
