"""Notebook instances: JupyterLab servers on this machine, with lifecycle scripts and sealed sessions."""
