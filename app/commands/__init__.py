"""The command line: one module per subject, all of them thin; what they do lives in the rooms beside this one."""
