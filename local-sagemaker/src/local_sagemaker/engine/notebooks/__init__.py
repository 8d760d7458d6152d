"""Notebook instances: JupyterLab servers and who may use them."""
