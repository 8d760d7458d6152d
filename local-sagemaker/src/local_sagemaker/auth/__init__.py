"""Who may ask: key pairs, AWS Signature Version 4, and what is said to those who may not."""
