"""The report of one window as a page for people: words, drawings, tables, and the page of them."""
