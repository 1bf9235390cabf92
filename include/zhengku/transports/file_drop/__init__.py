"""The file drop: files that a department puts into a folder, on this machine or on an SFTP server."""
