"""The files of the page: HTML, style and script, all local."""
