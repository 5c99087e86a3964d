"""The buying path in virtual time: every delay, fault, kill and switch of tasks from one seed."""
