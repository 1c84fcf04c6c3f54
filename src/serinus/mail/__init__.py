"""The SMTP server of the run on one machine, and the mailbox that it fills."""
